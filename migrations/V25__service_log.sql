-- The service log: one public log whose entries are commitments to the checkpoints of all organizations' logs, so that witnesses follow one log and not
-- thousands (`events/log/src/service_log/`).

-- The secrets from which the keys of an organization's entries are derived. Its auditors may know them; nobody else may.
CREATE TABLE log_secrets (
    organization_id uuid  PRIMARY KEY,
    secret          bytea NOT NULL CHECK (octet_length(secret) = 32)
);

CREATE TABLE service_entries (
    service_index   bigint PRIMARY KEY CHECK (service_index >= 0),
    -- What the entry hides: the checkpoint of an organization's log.
    organization_id uuid   NOT NULL,
    size            bigint NOT NULL CHECK (size > 0),
    origin          text   NOT NULL,
    root            bytea  NOT NULL CHECK (octet_length(root) = 32),
    -- What everybody may read.
    entry           text   NOT NULL CHECK (octet_length(entry) < 65536),
    leaf            bytea  NOT NULL CHECK (octet_length(leaf) = 32),
    UNIQUE (organization_id, size)
);

-- The size and the compact range. It has one row. An append advances it from the size that was read, so two workers cannot append at once.
CREATE TABLE service_head (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    size    bigint  NOT NULL CHECK (size >= 0),
    peaks   bytea[] NOT NULL
);

INSERT INTO service_head (size, peaks) VALUES (0, '{}');

-- The inner nodes, as in log_tiles. Hashes of leaves are in service_entries only.
CREATE TABLE service_tiles (
    level  smallint NOT NULL CHECK (level > 0),
    tile   bigint   NOT NULL CHECK (tile >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) % 32 = 0 AND octet_length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, tile)
);

ALTER TABLE service_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE service_checkpoints (
    size         bigint      PRIMARY KEY CHECK (size > 0),
    signed_at    timestamptz NOT NULL,
    note         text        NOT NULL,
    -- When its cosignatures met the quorum of the policy.
    witnessed_at timestamptz
);

CREATE INDEX service_checkpoints_signed_at ON service_checkpoints (signed_at);
CREATE INDEX service_checkpoints_witnessed ON service_checkpoints (size) WHERE witnessed_at IS NOT NULL;

-- Cosignatures (C2SP tlog-cosignature), each verified by the worker.
CREATE TABLE service_cosignatures (
    size        bigint      NOT NULL REFERENCES service_checkpoints ON DELETE CASCADE,
    witness     text        NOT NULL,
    key_id      bigint      NOT NULL,
    cosigned_at timestamptz NOT NULL,
    line        text        NOT NULL,
    PRIMARY KEY (size, witness, key_id)
);

-- The configured witnesses, for operators: the size that each has cosigned last, and since when and why it fails.
CREATE TABLE service_witnesses (
    witness      text   NOT NULL,
    key_id       bigint NOT NULL,
    url          text   NOT NULL,
    size         bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    cosigned_at  timestamptz,
    failed_since timestamptz,
    failure      text,
    PRIMARY KEY (witness, key_id),
    CHECK ((failed_since IS NULL) = (failure IS NULL))
);

-- Nobody changes or removes an entry or a secret, the owner included.
CREATE FUNCTION refuse_service_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'RC002';
END
$$;

CREATE TRIGGER service_entries_are_kept BEFORE UPDATE OR DELETE ON service_entries FOR EACH ROW EXECUTE FUNCTION refuse_service_log_change();
CREATE TRIGGER service_entries_are_not_truncated BEFORE TRUNCATE ON service_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_service_log_change();
CREATE TRIGGER log_secrets_are_kept BEFORE UPDATE OR DELETE ON log_secrets FOR EACH ROW EXECUTE FUNCTION refuse_service_log_change();
CREATE TRIGGER log_secrets_are_not_truncated BEFORE TRUNCATE ON log_secrets FOR EACH STATEMENT EXECUTE FUNCTION refuse_service_log_change();

GRANT SELECT ON log_secrets, service_entries, service_head, service_tiles, service_checkpoints, service_cosignatures, service_witnesses
    TO rollcall_api, rollcall_worker;
GRANT INSERT ON log_secrets, service_entries, service_tiles, service_checkpoints, service_cosignatures, service_witnesses TO rollcall_worker;
GRANT UPDATE (size, peaks) ON service_head TO rollcall_worker;
GRANT UPDATE (hashes) ON service_tiles TO rollcall_worker;
GRANT UPDATE (witnessed_at) ON service_checkpoints TO rollcall_worker;
GRANT UPDATE (url, size, cosigned_at, failed_since, failure) ON service_witnesses TO rollcall_worker;
-- Old checkpoints are thinned out, and their cosignatures go with them. A witness that is not configured any more is forgotten.
GRANT DELETE ON service_checkpoints, service_witnesses TO rollcall_worker;
