-- What a resource is searched by: the keys that the scim crate makes of it. They hold what the typed columns for names and addresses held.
ALTER TABLE users
    DROP COLUMN display_name_key, DROP COLUMN primary_email_key, DROP COLUMN email_keys,
    -- Rows from before this migration get their keys by `rollcall-worker migrate`, which then forbids NULL.
    ADD COLUMN keys jsonb;

CREATE TABLE groups (
    organization_id  uuid             NOT NULL,
    id               uuid             NOT NULL,
    display_name_key text COLLATE "C" NOT NULL,
    external_id      text COLLATE "C",
    -- The resource without its members.
    resource         jsonb            NOT NULL,
    keys             jsonb            NOT NULL,
    created_at       timestamptz      NOT NULL,
    last_modified_at timestamptz      NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, display_name_key)
);

CREATE INDEX groups_external_id ON groups (organization_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE group_members (
    organization_id uuid NOT NULL,
    group_id        uuid NOT NULL,
    user_id         uuid NOT NULL,
    PRIMARY KEY (organization_id, group_id, user_id)
);

CREATE INDEX group_members_user ON group_members (organization_id, user_id, group_id);

-- The workspaces that the members of a group belong to for as long as they are its members.
CREATE TABLE group_workspaces (
    organization_id uuid   NOT NULL,
    group_id        uuid   NOT NULL,
    workspace_id    uuid   NOT NULL,
    permissions     text[] NOT NULL,
    PRIMARY KEY (organization_id, group_id, workspace_id)
);

GRANT SELECT ON groups, group_members, group_workspaces TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON groups, group_members, group_workspaces TO rollcall_worker;

CREATE VIEW rollcall_v1.groups AS
SELECT organization_id, id, resource ->> 'displayName' AS display_name, external_id, resource, created_at, last_modified_at FROM rollcall.groups;

CREATE VIEW rollcall_v1.group_members AS
SELECT organization_id, group_id, user_id FROM rollcall.group_members;

-- A membership says where it comes from: the user itself, or a group. A user can be in one workspace in several ways, and may do what any of them allows.
CREATE OR REPLACE VIEW rollcall_v1.memberships AS
SELECT organization_id, workspace_id, user_id, permissions, teams, 'direct'::text AS source, NULL::uuid AS group_id
FROM rollcall.workspace_members
UNION ALL
SELECT m.organization_id, w.workspace_id, m.user_id, w.permissions, '[]'::jsonb, 'group'::text, m.group_id
FROM rollcall.group_workspaces w
JOIN rollcall.group_members m ON m.organization_id = w.organization_id AND m.group_id = w.group_id;

GRANT SELECT ON rollcall_v1.groups, rollcall_v1.group_members TO rollcall_app;
