-- The roles that the services connect as. Roles belong to the whole cluster, so they may be there already; `rollcall-worker migrate` sets their passwords.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['rollcall_api', 'rollcall_worker', 'rollcall_auditor', 'rollcall_app'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role_name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = rollcall', role_name, current_database());
    END LOOP;
    EXECUTE format('ALTER ROLE rollcall_app IN DATABASE %I SET search_path = rollcall_v1', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA rollcall TO rollcall_api, rollcall_worker, rollcall_auditor;
