-- The log. A row is a request's outcome; see ARCHITECTURE.md, "The log". Its format cannot be changed once there is data.
CREATE TABLE events (
    organization_id uuid        NOT NULL,
    seq             bigint      NOT NULL CHECK (seq > 0),
    event_id        uuid        NOT NULL,
    type            text        NOT NULL,
    schema_version  smallint    NOT NULL,
    subject_type    text,
    subject_id      uuid,
    actor           jsonb       NOT NULL,
    requested_at    timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    outcome         text        NOT NULL CHECK (outcome IN ('applied', 'rejected')),
    error           jsonb       CHECK ((error IS NULL) = (outcome = 'applied')),
    -- Both are NULL once the person that they are about was erased.
    payload         jsonb,
    salt            bytea       CHECK (octet_length(salt) = 16),
    commitment      bytea       NOT NULL CHECK (octet_length(commitment) = 32),
    leaf            bytea       NOT NULL CHECK (octet_length(leaf) = 32),
    PRIMARY KEY (organization_id, seq),
    UNIQUE (organization_id, event_id),
    CHECK ((payload IS NULL) = (salt IS NULL))
);

-- How far each log has come: its size and the compact range of its Merkle tree.
CREATE TABLE log_heads (
    organization_id uuid    PRIMARY KEY,
    size            bigint  NOT NULL DEFAULT 0 CHECK (size >= 0),
    peaks           bytea[] NOT NULL DEFAULT '{}'
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON events, log_heads TO rollcall_api, rollcall_worker, rollcall_auditor;
GRANT INSERT ON events TO rollcall_worker;
GRANT INSERT, UPDATE ON log_heads TO rollcall_worker;
