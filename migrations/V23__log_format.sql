-- The log in the format of docs/log-format.md. The hashes of a log in an earlier format cannot be converted without forging it,
-- so this migration refuses a database with entries. `rollcall-worker migrate` checks the same first and explains what to do.
DO $$
BEGIN
    IF EXISTS (SELECT FROM events) THEN
        RAISE EXCEPTION 'the log of this database has an earlier format' USING ERRCODE = 'RC003';
    END IF;
END
$$;

DROP INDEX events_token;

ALTER TABLE events
    -- What the header states about the actor: the id of a token or a session, and what it is.
    ADD COLUMN actor_id uuid,
    ADD COLUMN actor_kind text NOT NULL CHECK (actor_kind IN ('token', 'administrator', 'anonymous', 'operator', 'service')),
    ADD COLUMN actor_commitment bytea NOT NULL CHECK (octet_length(actor_commitment) = 32),
    -- The details of the actor. Both are NULL once the person was erased.
    ALTER COLUMN actor DROP NOT NULL,
    ADD COLUMN actor_salt bytea CHECK (octet_length(actor_salt) = 16),
    ADD CHECK ((actor IS NULL) = (actor_salt IS NULL)),
    ADD CHECK ((actor_kind IN ('token', 'administrator')) = (actor_id IS NOT NULL));
ALTER TABLE events RENAME COLUMN salt TO payload_salt;
ALTER TABLE events RENAME COLUMN commitment TO payload_commitment;

-- The entries of one token or session.
CREATE INDEX events_actor ON events (organization_id, actor_id, seq) WHERE actor_id IS NOT NULL;

-- The erasures of a person, whatever else the log has about the person.
CREATE INDEX events_erasures ON events (organization_id, subject_id, seq) WHERE type IN ('UserErased', 'AdministratorErased');

-- Whether the log records, after the entry `place`, that a person was erased. `kind` is the subject type of the person.
CREATE FUNCTION is_erased(organization uuid, kind text, person uuid, place bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM rollcall.events e
        WHERE e.organization_id = organization AND e.subject_id = person AND e.seq > place
            AND e.type IN ('UserErased', 'AdministratorErased')
            AND e.type = CASE kind WHEN 'User' THEN 'UserErased' WHEN 'Session' THEN 'AdministratorErased' END
    )
$$;

-- Lets one change of an entry through: a payload and its salt may become NULL if the entry is about a person whose erasure the log records
-- later; the actor's details and their salt, if that person was the actor.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parts CONSTANT text[] := '{payload,payload_salt,actor,actor_salt}';
    keeps_payload boolean;
    keeps_actor boolean;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - parts = to_jsonb(OLD) - parts THEN
        keeps_payload := NEW.payload IS NOT DISTINCT FROM OLD.payload AND NEW.payload_salt IS NOT DISTINCT FROM OLD.payload_salt;
        keeps_actor := NEW.actor IS NOT DISTINCT FROM OLD.actor AND NEW.actor_salt IS NOT DISTINCT FROM OLD.actor_salt;
        IF (keeps_payload OR NEW.payload IS NULL AND NEW.payload_salt IS NULL AND OLD.type NOT IN ('UserErased', 'AdministratorErased')
                AND rollcall.is_erased(OLD.organization_id, OLD.subject_type, OLD.subject_id, OLD.seq))
            AND (keeps_actor OR NEW.actor IS NULL AND NEW.actor_salt IS NULL AND OLD.actor_kind = 'administrator'
                AND rollcall.is_erased(OLD.organization_id, 'Session', OLD.actor_id, OLD.seq))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'RC002';
END
$$;

-- Erases exactly the parts that the trigger lets through. Progress of a replay of the organization is forgotten too.
CREATE FUNCTION erase_from_log(organization uuid, kind text, person uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
DECLARE
    newest bigint;
    shadow text;
BEGIN
    SELECT max(seq) INTO newest FROM events
    WHERE organization_id = organization AND subject_id = person
        AND type IN ('UserErased', 'AdministratorErased')
        AND type = CASE kind WHEN 'User' THEN 'UserErased' WHEN 'Session' THEN 'AdministratorErased' END;
    IF newest IS NULL THEN
        RAISE EXCEPTION 'the log is append-only: it records no erasure of % %', lower(kind), person USING ERRCODE = 'RC002';
    END IF;
    UPDATE events SET payload = NULL, payload_salt = NULL
    WHERE organization_id = organization AND subject_id = person AND seq < newest
        AND subject_type = kind AND type NOT IN ('UserErased', 'AdministratorErased') AND payload IS NOT NULL;
    IF kind = 'Session' THEN
        UPDATE events SET actor = NULL, actor_salt = NULL
        WHERE organization_id = organization AND actor_id = person AND seq < newest AND actor_kind = 'administrator' AND actor IS NOT NULL;
    END IF;
    FOR shadow IN SELECT c.table_name FROM information_schema.columns c WHERE c.table_schema = 'rollcall_shadow' AND c.column_name = 'organization_id' LOOP
        EXECUTE format('DELETE FROM rollcall_shadow.%I WHERE organization_id = $1', shadow) USING organization;
    END LOOP;
END
$$;

-- The worker's ways to an erasure: `erase_user`, which calls the first function, and `erase_administrator`.
CREATE OR REPLACE FUNCTION erase_user_from_log(organization uuid, erased uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
    SELECT erase_from_log(organization, 'User', erased)
$$;

CREATE FUNCTION erase_administrator(organization uuid, erased uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
    SELECT erase_from_log(organization, 'Session', erased)
$$;

REVOKE ALL ON FUNCTION erase_from_log(uuid, text, uuid), erase_administrator(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_administrator(uuid, uuid) TO rollcall_worker;
