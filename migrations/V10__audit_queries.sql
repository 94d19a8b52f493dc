-- The log in partitions by organization: each can be vacuumed, indexed anew, backed up and moved to storage of its own without the others. Not by time: then
-- neither the place of an entry nor its event id could be unique in an organization's log. See ARCHITECTURE.md, "Ten years of it".
ALTER TABLE events RENAME TO events_whole;

CREATE TABLE events (LIKE events_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY HASH (organization_id);

DO $$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n);
    END LOOP;
END
$$;

INSERT INTO events SELECT * FROM events_whole ORDER BY organization_id, seq;
DROP TABLE events_whole;

ALTER TABLE events ADD PRIMARY KEY (organization_id, seq), ADD UNIQUE (organization_id, event_id);

-- What auditors look the log up by. ARCHITECTURE.md, "What an index costs", says why each is there and what a create pays for it.

-- The history of one user, group, token or workspace.
CREATE INDEX events_subject ON events (organization_id, subject_id, seq);

-- What was done with one token.
CREATE INDEX events_token ON events (organization_id, (actor ->> 'token_id'), seq);

-- What came from one address or network.
CREATE INDEX events_address ON events (organization_id, ((actor ->> 'address')::inet), seq) WHERE actor ->> 'address' IS NOT NULL;

-- Types that are rare: the two frequent ones are found on the way through the log.
CREATE INDEX events_type ON events (organization_id, type, seq) WHERE type NOT IN ('UserCreated', 'UserUpdated');

CREATE INDEX events_refused ON events (organization_id, seq) WHERE outcome = 'rejected';

-- Time goes with the place in the log, so that a summary of each run of pages is enough.
CREATE INDEX events_time ON events USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

-- Whose name or externalId it once was.
CREATE INDEX events_user_name ON events (organization_id, lower((payload #>> '{resource,userName}') COLLATE "C"))
    WHERE type = 'UserCreated' OR payload -> 'changed' ? 'userName';
CREATE INDEX events_external_id ON events (organization_id, (payload #>> '{resource,externalId}'))
    WHERE (type IN ('UserCreated', 'GroupCreated') OR payload -> 'changed' ? 'externalId') AND payload #>> '{resource,externalId}' IS NOT NULL;

-- A partition can be emptied directly as well: each has the trigger.
CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format('CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events_%s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', n);
    END LOOP;
END
$$;

GRANT SELECT ON events TO rollcall_api, rollcall_worker, rollcall_auditor;
GRANT INSERT ON events TO rollcall_worker;
