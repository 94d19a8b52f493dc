-- Only entries before the newest UserErased of a user may be erased. A later refusal about the same id stays: it names nobody, and it may
-- stand in the same batch. RC002 says that the log refused a change, which is not a missing privilege.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.subject_type = 'User' AND OLD.type <> 'UserErased' AND NEW.payload IS NULL AND NEW.salt IS NULL
            AND to_jsonb(NEW) - 'payload' - 'salt' = to_jsonb(OLD) - 'payload' - 'salt'
            AND EXISTS (
                SELECT FROM rollcall.events e
                WHERE e.organization_id = OLD.organization_id AND e.subject_id = OLD.subject_id AND e.type = 'UserErased' AND e.seq > OLD.seq
            )
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'RC002';
END
$$;

-- Erases exactly the entries that the trigger lets through. Progress of a replay of the organization is forgotten too.
CREATE OR REPLACE FUNCTION erase_user_from_log(organization uuid, erased uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
DECLARE
    newest bigint;
    shadow text;
BEGIN
    SELECT max(seq) INTO newest FROM events WHERE organization_id = organization AND subject_id = erased AND type = 'UserErased';
    IF newest IS NULL THEN
        RAISE EXCEPTION 'the log is append-only: it records no erasure of user %', erased USING ERRCODE = 'RC002';
    END IF;
    UPDATE events SET payload = NULL, salt = NULL
    WHERE organization_id = organization AND subject_id = erased AND seq < newest
        AND subject_type = 'User' AND type <> 'UserErased' AND payload IS NOT NULL;
    FOR shadow IN SELECT c.table_name FROM information_schema.columns c WHERE c.table_schema = 'rollcall_shadow' AND c.column_name = 'organization_id' LOOP
        EXECUTE format('DELETE FROM rollcall_shadow.%I WHERE organization_id = $1', shadow) USING organization;
    END LOOP;
END
$$;

-- Who was erased when, and how far that is settled. The log forgets the names of a user in the transaction of the erasure; they wait here until the worker has
-- hashed them, since only the worker folds names.
CREATE TABLE erased_users (
    organization_id uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    erased_at       timestamptz NOT NULL,
    -- The userNames that the user ever had; NULL once they are hashed.
    names           text[],
    -- What names the user is removed from calls up to this one; NULL once nothing is left to be done.
    calls_after     uuid,
    PRIMARY KEY (organization_id, user_id)
);

CREATE INDEX erased_users_newest ON erased_users (organization_id, erased_at);
CREATE INDEX erased_users_id ON erased_users (user_id);
CREATE INDEX erased_users_unfinished ON erased_users (organization_id, user_id) WHERE names IS NOT NULL OR calls_after IS NOT NULL;

-- Keyed hashes of the folded names of erased users (`worker/src/erasure/mentions.rs`), by which late calls and dead letters are recognized.
CREATE TABLE erased_names (
    organization_id uuid  NOT NULL,
    name_hash       bytea NOT NULL CHECK (octet_length(name_hash) = 32),
    user_id         uuid  NOT NULL,
    PRIMARY KEY (organization_id, name_hash, user_id)
);

-- Of users who were erased before this migration the names are gone; they are recognized by their ids.
INSERT INTO erased_users (organization_id, user_id, erased_at)
SELECT organization_id, subject_id, max(recorded_at) FROM events
WHERE type = 'UserErased' AND subject_id IS NOT NULL GROUP BY organization_id, subject_id;

-- The worker's one way to an erasure. What it leaves to be done, the worker does before it answers (`worker/src/erasure/`).
CREATE OR REPLACE FUNCTION erase_user(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
BEGIN
    INSERT INTO erased_users AS u (organization_id, user_id, erased_at, names, calls_after)
    SELECT organization, erased, COALESCE(max(greatest(e.recorded_at, e.requested_at)) FILTER (WHERE e.type = 'UserErased'), now()),
        COALESCE(array_agg(DISTINCT e.payload #>> '{resource,userName}') FILTER (WHERE e.payload #>> '{resource,userName}' IS NOT NULL), '{}'),
        '00000000-0000-0000-0000-000000000000'
    FROM events e WHERE e.organization_id = organization AND e.subject_id = erased AND e.subject_type = 'User'
    ON CONFLICT (organization_id, user_id) DO UPDATE SET
        erased_at = greatest(u.erased_at, excluded.erased_at), names = COALESCE(u.names, '{}') || excluded.names, calls_after = excluded.calls_after;
    PERFORM erase_user_from_log(organization, erased);
END
$$;

DROP FUNCTION erase_user_from_requests(uuid, uuid);

GRANT SELECT ON erased_users TO rollcall_worker;
GRANT UPDATE (names, calls_after) ON erased_users TO rollcall_worker;
GRANT SELECT, INSERT, DELETE ON erased_names TO rollcall_worker;
GRANT UPDATE (query, detail) ON requests TO rollcall_worker;

-- Old checkpoints are thinned out by the rule in docs/auditors.md. The log itself stays append-only.
CREATE INDEX checkpoints_signed_at ON checkpoints (signed_at);
GRANT DELETE ON checkpoints TO rollcall_worker;
