-- Who administers an organization by the pages: each session begins with a link that can be used once, and ends by itself.
CREATE TABLE admin_sessions (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    name            text        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('owner', 'administrator', 'auditor')),
    -- What the link holds, and until when it can be used.
    link_digest     bytea       NOT NULL UNIQUE CHECK (octet_length(link_digest) = 32),
    link_expires_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    -- What the browser holds, since the link was used.
    digest          bytea       UNIQUE CHECK (octet_length(digest) = 32),
    signed_in_at    timestamptz CHECK ((signed_in_at IS NULL) = (digest IS NULL)),
    ended_at        timestamptz,
    PRIMARY KEY (organization_id, id)
);

GRANT SELECT ON admin_sessions TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_sessions TO rollcall_worker;
