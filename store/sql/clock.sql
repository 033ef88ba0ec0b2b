-- name: now
-- The database's time, as it goes on inside a transaction.
select clock_timestamp();
