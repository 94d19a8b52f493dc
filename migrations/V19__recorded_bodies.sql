-- What calls and their answers held, where an organisation has it recorded for a while: redacted, shortened, and kept for some days.

-- Until when; a projection like the rest of the row.
ALTER TABLE organizations ADD COLUMN bodies_until timestamptz;

ALTER TABLE requests ADD COLUMN request_body text, ADD COLUMN response_body text;

-- What is too old of them is found without a look at the others.
CREATE INDEX requests_bodies ON requests (at) WHERE request_body IS NOT NULL OR response_body IS NOT NULL;

GRANT UPDATE (request_body, response_body) ON requests TO rollcall_worker;

-- Whoever is erased is in no body either, neither by their id nor by a name that they had, as JSON writes it. Of one that was shortened (it ends with …) it cannot be
-- told whom it broke off at: a part of them could be there without either.
CREATE OR REPLACE FUNCTION erase_user_from_requests(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SET search_path = rollcall, pg_temp AS $$
DECLARE
    names text[];
BEGIN
    SELECT COALESCE(array_agg(name), '{}') INTO names FROM (
        SELECT lower(subject) AS name FROM requests WHERE organization_id = organization AND subject_id = erased AND subject IS NOT NULL
        UNION
        SELECT lower(payload #>> '{resource,userName}') FROM events
        WHERE organization_id = organization AND subject_id = erased AND subject_type = 'User' AND payload #>> '{resource,userName}' IS NOT NULL
    ) n;
    DELETE FROM requests r USING unnest(names) AS n (name)
    WHERE r.organization_id = organization
        AND (lower(r.subject) = n.name OR position('"' || n.name || '"' IN lower(r.query)) > 0 OR position(n.name IN lower(r.detail)) > 0);
    DELETE FROM requests WHERE organization_id = organization AND subject_id = erased;
    UPDATE requests SET request_body = NULL, response_body = NULL
    WHERE organization_id = organization AND (right(request_body, 1) = '…' OR right(response_body, 1) = '…');
    UPDATE requests r SET request_body = NULL, response_body = NULL
    FROM (SELECT erased::text AS text UNION SELECT substr(j.text, 2, length(j.text) - 2) FROM unnest(names) AS n (name), CAST(to_json(n.name) AS text) AS j (text)) t
    WHERE r.organization_id = organization AND (r.request_body IS NOT NULL OR r.response_body IS NOT NULL)
        AND position(t.text IN lower(concat_ws(' ', r.request_body, r.response_body))) > 0;
END
$$;
