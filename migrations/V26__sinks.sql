-- How far each log was delivered to each sink that the operator has configured. Not part of what the log adds up to.
CREATE TABLE sink_positions (
    organization_id uuid   NOT NULL,
    -- The name of the sink in the worker's settings.
    sink            text   NOT NULL,
    -- Everything up to here was delivered.
    seq             bigint NOT NULL CHECK (seq >= 0),
    delivered_at    timestamptz,
    -- Since when the delivery has failed, and why it failed last.
    failing_since   timestamptz,
    failure         text,
    PRIMARY KEY (organization_id, sink),
    CHECK ((failing_since IS NULL) = (failure IS NULL))
);

GRANT SELECT ON sink_positions TO rollcall_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON sink_positions TO rollcall_worker;
