-- The projections: what the log adds up to. The worker alone writes them, from the facts that it has just recorded; they can be made anew from the log.
-- There are no foreign keys: what refers to what is decided before it is recorded, and a check of every row would cost more than the insert.
CREATE TABLE organizations (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE workspaces (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    name            text        NOT NULL,
    name_key        text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, name_key)
);

CREATE TABLE scim_tokens (
    organization_id      uuid        NOT NULL,
    id                   uuid        NOT NULL,
    digest               bytea       NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    label                text        NOT NULL,
    default_workspace_id uuid        NOT NULL,
    service_origin       text        NOT NULL,
    origin_required      boolean     NOT NULL,
    allow_list           text,
    dialect              text        NOT NULL,
    created_at           timestamptz NOT NULL,
    expires_at           timestamptz,
    revoked_at           timestamptz,
    PRIMARY KEY (organization_id, id)
);

-- Keys are folded by the one definition in the scim crate; the database compares them and never folds. Their collation is that of bytes.
CREATE TABLE users (
    organization_id   uuid             NOT NULL,
    id                uuid             NOT NULL,
    user_name_key     text COLLATE "C" NOT NULL,
    external_id       text COLLATE "C",
    active            boolean          NOT NULL,
    display_name_key  text COLLATE "C",
    primary_email_key text COLLATE "C",
    email_keys        text[] COLLATE "C" NOT NULL,
    resource          jsonb            NOT NULL,
    created_at        timestamptz      NOT NULL,
    last_modified_at  timestamptz      NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, user_name_key)
);

CREATE INDEX users_in_order ON users (organization_id, created_at, id);
CREATE INDEX users_external_id ON users (organization_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE workspace_members (
    organization_id uuid   NOT NULL,
    workspace_id    uuid   NOT NULL,
    user_id         uuid   NOT NULL,
    permissions     text[] NOT NULL,
    teams           jsonb  NOT NULL,
    PRIMARY KEY (organization_id, user_id, workspace_id)
);

CREATE INDEX workspace_members_workspace ON workspace_members (organization_id, workspace_id, user_id);

GRANT SELECT ON organizations, workspaces, scim_tokens, users, workspace_members TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON organizations, workspaces, scim_tokens, users, workspace_members TO rollcall_worker;
