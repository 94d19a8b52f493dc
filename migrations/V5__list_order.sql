-- Ids are UUIDv7 (RFC 9562 section 5.7): their order is that of creation, and the primary key has it already.
DROP INDEX users_in_order;
