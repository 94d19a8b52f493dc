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
