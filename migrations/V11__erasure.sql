-- A deleted person's data can be erased: payload and salt of the entries about them, and nothing else, once the log says that they are to be. Header,
-- commitment and leaf stay, so that every proof still holds; without its salt a commitment tells nothing.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.subject_type = 'User' AND NEW.payload IS NULL AND NEW.salt IS NULL
            AND to_jsonb(NEW) - 'payload' - 'salt' = to_jsonb(OLD) - 'payload' - 'salt'
            AND EXISTS (
                SELECT FROM rollcall.events e
                WHERE e.organization_id = OLD.organization_id AND e.subject_id = OLD.subject_id AND e.type = 'UserErased' AND e.seq > OLD.seq
            )
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

-- The one way to it for the worker, who may not UPDATE the log. What a replay has rebuilt of the organization is forgotten too.
CREATE FUNCTION erase_user(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
DECLARE
    shadow text;
BEGIN
    UPDATE events SET payload = NULL, salt = NULL
    WHERE organization_id = organization AND subject_id = erased AND subject_type = 'User' AND type <> 'UserErased' AND payload IS NOT NULL;
    FOR shadow IN SELECT c.table_name FROM information_schema.columns c WHERE c.table_schema = 'rollcall_shadow' AND c.column_name = 'organization_id' LOOP
        EXECUTE format('DELETE FROM rollcall_shadow.%I WHERE organization_id = $1', shadow) USING organization;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION erase_user(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_user(uuid, uuid) TO rollcall_worker;
