-- Administrators can sign in at an OpenID provider: such a session begins without a link, and the provider's name for whoever signed in is kept.
ALTER TABLE admin_sessions
    ALTER COLUMN link_digest DROP NOT NULL,
    ALTER COLUMN link_expires_at DROP NOT NULL,
    ADD COLUMN issuer text,
    ADD COLUMN subject text,
    ADD CHECK ((link_digest IS NULL) = (link_expires_at IS NULL)),
    ADD CHECK ((issuer IS NULL) = (subject IS NULL)),
    ADD CHECK (link_digest IS NOT NULL OR digest IS NOT NULL);
