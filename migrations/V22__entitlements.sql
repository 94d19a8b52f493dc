-- Roles and entitlements that users can have, as administrators define them.
CREATE TABLE entitlements (
    organization_id uuid             NOT NULL,
    id              uuid             NOT NULL,
    kind            text             NOT NULL CHECK (kind IN ('role', 'entitlement')),
    name            text             NOT NULL,
    name_key        text COLLATE "C" NOT NULL,
    type            text             NOT NULL,
    description     text,
    created_at      timestamptz      NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, kind, name_key)
);

GRANT SELECT ON entitlements TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON entitlements TO rollcall_worker;

-- Roles, entitlements and workspaces in the form in which the api reads resources of every type.
CREATE FUNCTION resource_meta(resource_type text, created_at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('resourceType', resource_type, 'created', t, 'lastModified', t, 'version', 'W/"1"')
    FROM to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS t
$$;

REVOKE ALL ON FUNCTION resource_meta(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION resource_meta(text, timestamptz) TO rollcall_api;

CREATE VIEW role_resources AS
SELECT organization_id, id, name_key, NULL::text AS external_id, created_at, created_at AS last_modified_at,
    jsonb_build_object('displayName', name_key) AS keys,
    jsonb_strip_nulls(jsonb_build_object(
        'schemas', jsonb_build_array('urn:okta:scim:schemas:core:1.0:Role'), 'id', id, 'displayName', name, 'description', description,
        'meta', resource_meta('Role', created_at)
    )) AS resource
FROM entitlements WHERE kind = 'role';

CREATE VIEW entitlement_resources AS
SELECT organization_id, id, name_key, NULL::text AS external_id, created_at, created_at AS last_modified_at,
    jsonb_build_object('displayName', name_key) AS keys,
    jsonb_strip_nulls(jsonb_build_object(
        'schemas', jsonb_build_array('urn:okta:scim:schemas:core:1.0:Entitlement'), 'id', id, 'displayName', name, 'type', type,
        'description', description, 'meta', resource_meta('Entitlement', created_at)
    )) AS resource
FROM entitlements WHERE kind = 'entitlement';

CREATE VIEW workspace_resources AS
SELECT organization_id, id, name_key, NULL::text AS external_id, created_at, created_at AS last_modified_at,
    jsonb_build_object('displayName', name_key) AS keys,
    jsonb_build_object(
        'schemas', jsonb_build_array('urn:okta:scim:schemas:core:1.0:Entitlement'), 'id', id, 'displayName', name, 'type', 'Workspace',
        'meta', resource_meta('Workspace', created_at)
    ) AS resource
FROM workspaces;

GRANT SELECT ON role_resources, entitlement_resources, workspace_resources TO rollcall_api;

CREATE VIEW rollcall_v1.entitlements AS
SELECT organization_id, id, kind, name, type, description, created_at FROM rollcall.entitlements;

GRANT SELECT ON rollcall_v1.entitlements TO rollcall_app;
