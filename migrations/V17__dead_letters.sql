-- Requests that can never be applied, as the worker has taken them from the queue rollcall.dead, until somebody has them tried again or discards them. Not part of
-- what the log adds up to; what is decided about them is in the log.
CREATE TABLE dead_letters (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    kept_at         timestamptz NOT NULL DEFAULT now(),
    message_id      text,
    type            text,
    reason          text        NOT NULL,
    body            bytea       NOT NULL,
    -- Since when it is to go back to its queue.
    retried_at      timestamptz,
    PRIMARY KEY (organization_id, id)
);

CREATE INDEX dead_letters_retried ON dead_letters (retried_at) WHERE retried_at IS NOT NULL;

GRANT SELECT ON dead_letters TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO rollcall_worker;

-- Whoever is erased is in no dead letter either, those included of which it cannot be told whose they are.
CREATE OR REPLACE FUNCTION erase_user(organization uuid, erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = rollcall, pg_temp AS $$
BEGIN
    PERFORM erase_user_from_requests(organization, erased);
    PERFORM erase_user_from_log(organization, erased);
    DELETE FROM dead_letters d
    WHERE d.organization_id IN (organization, '00000000-0000-0000-0000-000000000000') AND position(convert_to(erased::text, 'UTF8') IN d.body) > 0;
END
$$;
