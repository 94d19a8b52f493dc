-- What operators are told of the work that goes on. Not part of what the log adds up to.

-- How each partition does, as the worker that serves it tells every second.
CREATE TABLE partitions (
    partition integer     PRIMARY KEY,
    -- Which run of a worker tells.
    worker    uuid        NOT NULL,
    -- When the oldest request was sent that it has in hand; NULL while it has none.
    oldest_at timestamptz,
    told_at   timestamptz NOT NULL
) WITH (fillfactor = 20);

GRANT SELECT ON partitions TO rollcall_api;
GRANT SELECT, INSERT, UPDATE ON partitions TO rollcall_worker;

-- How far an organisation's last replay has come; the owner of the database writes it, who replays.
CREATE TABLE replays (
    organization_id uuid        PRIMARY KEY,
    begun_at        timestamptz NOT NULL,
    told_at         timestamptz NOT NULL,
    -- How many entries were replayed, and of how many.
    entries         bigint      NOT NULL,
    size            bigint      NOT NULL,
    -- NULL until the projections are compared with what the log adds up to, and made alike where that is asked for.
    ended_at        timestamptz,
    different_rows  bigint,
    is_mended       boolean
);

GRANT SELECT ON replays TO rollcall_api;
