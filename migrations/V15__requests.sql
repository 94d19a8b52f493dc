-- What was observed of calls: best effort beside the log, for some days. Not part of what the log adds up to.
CREATE TABLE requests (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    at              timestamptz NOT NULL,
    micros          bigint      NOT NULL,
    method          text        NOT NULL,
    path            text        NOT NULL,
    query           text,
    meaning         text        NOT NULL,
    subject         text,
    subject_id      uuid,
    status          smallint    NOT NULL,
    scim_type       text,
    detail          text,
    txn             uuid,
    token_id        uuid        NOT NULL,
    label           text        NOT NULL,
    address         text,
    user_agent      text,
    PRIMARY KEY (organization_id, id)
);

-- What is too old is at the front of the table.
CREATE INDEX requests_at ON requests USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

GRANT SELECT ON requests TO rollcall_api;
GRANT SELECT, INSERT, DELETE ON requests TO rollcall_worker;

-- Whoever is erased is forgotten here as well: what names them, by their id or by a name that they had in a call.
CREATE OR REPLACE FUNCTION erase_user(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
DECLARE
    shadow text;
BEGIN
    DELETE FROM requests r USING (
        SELECT DISTINCT lower(subject) AS name FROM requests WHERE organization_id = organization AND subject_id = erased AND subject IS NOT NULL
        UNION
        SELECT DISTINCT lower(payload #>> '{resource,userName}') FROM events
        WHERE organization_id = organization AND subject_id = erased AND subject_type = 'User' AND payload #>> '{resource,userName}' IS NOT NULL
    ) n
    WHERE r.organization_id = organization
        AND (lower(r.subject) = n.name OR position('"' || n.name || '"' IN lower(r.query)) > 0 OR position(n.name IN lower(r.detail)) > 0);
    DELETE FROM requests WHERE organization_id = organization AND subject_id = erased;
    UPDATE events SET payload = NULL, salt = NULL
    WHERE organization_id = organization AND subject_id = erased AND subject_type = 'User' AND type <> 'UserErased' AND payload IS NOT NULL;
    FOR shadow IN SELECT c.table_name FROM information_schema.columns c WHERE c.table_schema = 'rollcall_shadow' AND c.column_name = 'organization_id' LOOP
        EXECUTE format('DELETE FROM rollcall_shadow.%I WHERE organization_id = $1', shadow) USING organization;
    END LOOP;
END
$$;
