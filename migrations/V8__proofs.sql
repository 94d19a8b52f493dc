-- Inner nodes of the logs' Merkle trees, 256 hashes to a row: a proof reads a row or two for each factor of 256 in the size of a log. They follow from
-- events.leaf, and whoever checks a proof recomputes them.
CREATE TABLE log_tiles (
    organization_id uuid     NOT NULL,
    -- The height of the hashes above the leaves, in spans of eight.
    level           smallint NOT NULL CHECK (level >= 0),
    tile            bigint   NOT NULL CHECK (tile >= 0),
    hashes          bytea    NOT NULL CHECK (octet_length(hashes) % 32 = 0 AND octet_length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (organization_id, level, tile)
);

-- Hashes do not compress.
ALTER TABLE log_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Signed statements of how far a log had come (C2SP tlog-checkpoint).
CREATE TABLE checkpoints (
    organization_id uuid        NOT NULL,
    size            bigint      NOT NULL CHECK (size > 0),
    signed_at       timestamptz NOT NULL,
    note            text        NOT NULL,
    PRIMARY KEY (organization_id, size)
);

GRANT SELECT ON log_tiles, checkpoints TO rollcall_api, rollcall_worker, rollcall_auditor;
GRANT INSERT, UPDATE ON log_tiles TO rollcall_worker;
GRANT INSERT ON checkpoints TO rollcall_worker;
