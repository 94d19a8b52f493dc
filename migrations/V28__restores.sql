-- How many restores of the database were accepted for a log. Running deliveries read their positions anew when it changes.
ALTER TABLE log_heads ADD COLUMN restores bigint NOT NULL DEFAULT 0;
