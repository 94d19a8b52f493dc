-- How many users and groups an organisation has, so that a list of a million need not be counted to tell its total.
ALTER TABLE organizations ADD COLUMN users bigint NOT NULL DEFAULT 0, ADD COLUMN groups bigint NOT NULL DEFAULT 0;

UPDATE organizations o SET
    users = (SELECT count(*) FROM users u WHERE u.organization_id = o.id),
    groups = (SELECT count(*) FROM groups g WHERE g.organization_id = o.id);
