-- What applications read: version 1 of the documented views. The tables behind them may change, these may not.
CREATE SCHEMA rollcall_v1;

CREATE VIEW rollcall_v1.organizations AS
SELECT id, name, created_at FROM rollcall.organizations;

CREATE VIEW rollcall_v1.workspaces AS
SELECT organization_id, id, name, created_at FROM rollcall.workspaces;

CREATE VIEW rollcall_v1.users AS
SELECT
    organization_id,
    id,
    resource ->> 'userName' AS user_name,
    external_id,
    active,
    resource ->> 'displayName' AS display_name,
    resource,
    created_at,
    last_modified_at
FROM rollcall.users;

CREATE VIEW rollcall_v1.memberships AS
SELECT organization_id, workspace_id, user_id, permissions, teams FROM rollcall.workspace_members;

COMMENT ON SCHEMA rollcall_v1 IS 'What applications read. LISTEN rollcall_v1 tells of changes; the payload is the id of the organisation that changed.';

GRANT USAGE ON SCHEMA rollcall_v1 TO rollcall_app;
GRANT SELECT ON ALL TABLES IN SCHEMA rollcall_v1 TO rollcall_app;
