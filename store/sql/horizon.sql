-- name: held_since
-- What keeps the database from clearing away rows that are over, the longest first: transactions, and those
-- that were prepared. Of others' sessions a role without pg_read_all_stats sees nothing.
select kind, name, held_for
from (
    select 'the transaction of' as kind,
           format('%s (pid %s%s)', usename, pid, case when application_name <> '' then ', ' || application_name else '' end)
               as name,
           clock_timestamp() - xact_start as held_for
    from pg_stat_activity
    where backend_xmin is not null and datname = current_database() and pid <> pg_backend_pid()
    union all
    select 'the prepared transaction', quote_literal(gid), clock_timestamp() - prepared
    from pg_prepared_xacts where database = current_database()
) as held
where held_for > $1::interval
order by held_for desc limit 5;
