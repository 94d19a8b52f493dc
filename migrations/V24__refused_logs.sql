-- Why the signer refuses a log, which then nobody appends to; NULL if it does not. The signer's own memory is outside the database
-- (worker/src/log/signer/): this column only tells the other workers, the apis and the operator.
ALTER TABLE log_heads ADD COLUMN refused text;

CREATE INDEX log_heads_refused ON log_heads (organization_id) WHERE refused IS NOT NULL;
