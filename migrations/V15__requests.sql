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

-- Whoever is erased is forgotten here as well: what names them, by their id or by a name that they had. To be called while the log still has the names.
CREATE FUNCTION erase_user_from_requests(organization uuid, erased uuid) RETURNS void LANGUAGE sql SET search_path = rollcall, pg_temp AS $$
    DELETE FROM requests r USING (
        SELECT lower(subject) AS name FROM requests WHERE organization_id = organization AND subject_id = erased AND subject IS NOT NULL
        UNION
        SELECT lower(payload #>> '{resource,userName}') FROM events
        WHERE organization_id = organization AND subject_id = erased AND subject_type = 'User' AND payload #>> '{resource,userName}' IS NOT NULL
    ) n
    WHERE r.organization_id = organization
        AND (lower(r.subject) = n.name OR position('"' || n.name || '"' IN lower(r.query)) > 0 OR position(n.name IN lower(r.detail)) > 0);
    DELETE FROM requests WHERE organization_id = organization AND subject_id = erased;
$$;

-- The worker's one way to an erasure does all of it; what it does to the log has a name of its own.
ALTER FUNCTION erase_user(uuid, uuid) RENAME TO erase_user_from_log;

CREATE FUNCTION erase_user(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
BEGIN
    PERFORM erase_user_from_requests(organization, erased);
    PERFORM erase_user_from_log(organization, erased);
END
$$;

REVOKE ALL ON FUNCTION erase_user(uuid, uuid), erase_user_from_log(uuid, uuid), erase_user_from_requests(uuid, uuid) FROM PUBLIC, rollcall_worker;
GRANT EXECUTE ON FUNCTION erase_user(uuid, uuid) TO rollcall_worker;
