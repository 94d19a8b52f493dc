-- The credentials of auditors: each reads the log of one organisation and can do nothing else.
CREATE TABLE auditor_tokens (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    digest          bytea       NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    label           text        NOT NULL,
    allow_list      text,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    PRIMARY KEY (organization_id, id)
);

GRANT SELECT ON auditor_tokens TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON auditor_tokens TO rollcall_worker;
