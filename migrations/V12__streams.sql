-- What an organization has delivered to whom, as events of RFC 9967. A projection of the log.
CREATE TABLE event_streams (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    label           text        NOT NULL,
    audience        text        NOT NULL,
    events          text[]      NOT NULL,
    -- Whose members are told of; empty for every user and group.
    workspaces      uuid[]      NOT NULL,
    -- What a receiver that polls asks with, and where from; NULL for one that is pushed to.
    digest          bytea       UNIQUE CHECK (octet_length(digest) = 32),
    allow_list      text,
    -- Where to push.
    endpoint        text,
    -- The place in the log after which it begins.
    begins_after    bigint      NOT NULL CHECK (begins_after >= 0),
    created_at      timestamptz NOT NULL,
    -- Since when it is delivered, or not.
    enabled         boolean     NOT NULL,
    enabled_at      timestamptz NOT NULL,
    -- Why it is not.
    reason          text,
    PRIMARY KEY (organization_id, id),
    CHECK ((digest IS NULL) <> (endpoint IS NULL))
);

-- How far each receiver has come: not part of what the log adds up to, since a log that told of its own readers would grow by being read.
CREATE TABLE stream_positions (
    organization_id uuid     NOT NULL,
    stream_id       uuid     NOT NULL,
    -- Up to here everything is acknowledged or was nothing to be told, and beyond it these are.
    seq             bigint   NOT NULL CHECK (seq >= 0),
    beyond          bigint[] NOT NULL,
    -- Since when a push has failed, and what went wrong last.
    failing_since   timestamptz,
    failure         text,
    PRIMARY KEY (organization_id, stream_id),
    FOREIGN KEY (organization_id, stream_id) REFERENCES event_streams (organization_id, id) ON DELETE CASCADE
);

GRANT SELECT ON event_streams, stream_positions TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_streams, stream_positions TO rollcall_worker;
