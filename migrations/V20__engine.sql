-- The head of a log is the lock of its organization. Every transaction that changes what the organization's requests are decided on first advances the head from the
-- version that was read; if the head has moved, nothing of the transaction happens. A version of our own replaces xmin: transaction ids start over after a restore
-- or a failover to a cluster that was set up by dump and restore, and are reused after two billion transactions.
ALTER TABLE log_heads
    ADD COLUMN version bigint NOT NULL DEFAULT 0,
    -- When the newest entry was recorded. The next entry is later, whatever the clocks of the workers say.
    ADD COLUMN recorded_at timestamptz;

UPDATE log_heads h SET recorded_at = (SELECT e.recorded_at FROM events e WHERE e.organization_id = h.organization_id ORDER BY e.seq DESC LIMIT 1);

-- Advances heads in the order in which they are given, so that two transactions never wait for each other. RC001 means: a head is not at the version that was read.
CREATE FUNCTION advance_heads(organizations uuid[], versions bigint[], sizes bigint[], all_peaks text[], times timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..cardinality(organizations) LOOP
        UPDATE log_heads SET version = version + 1, size = sizes[i], peaks = all_peaks[i]::bytea[], recorded_at = times[i]
        WHERE organization_id = organizations[i] AND version = versions[i];
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the head of the log of organization % is not at version % any more', organizations[i], versions[i]
                USING ERRCODE = 'RC001';
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION advance_heads(uuid[], bigint[], bigint[], text[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION advance_heads(uuid[], bigint[], bigint[], text[], timestamptz[]) TO rollcall_worker;

-- What operators are told of a partition besides: why it has stopped, if a systemic error stopped it, and how many keys had to be loaded on demand since the worker started.
ALTER TABLE partitions
    ADD COLUMN stopped_at timestamptz,
    ADD COLUMN stopped_reason text,
    ADD COLUMN demand_loads bigint NOT NULL DEFAULT 0,
    ADD CHECK ((stopped_at IS NULL) = (stopped_reason IS NULL));
