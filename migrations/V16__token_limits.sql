-- A token can have a rate of its own, and is known by how it begins. When it was used last is what was observed of its calls, reads included.
ALTER TABLE scim_tokens
    ADD COLUMN calls_per_second integer CHECK (calls_per_second > 0),
    ADD COLUMN prefix text CHECK (length(prefix) <= 8);
CREATE INDEX requests_token ON requests (organization_id, token_id, id);
