-- Why the signer refuses the service log; NULL if it does not. As log_heads.refused, it is for the apis and the operator only.
ALTER TABLE service_head ADD COLUMN refused text;
GRANT UPDATE (refused) ON service_head TO rollcall_worker;
