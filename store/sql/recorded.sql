-- name: add_position
-- A partition that is read for the first time.
insert into recorded_positions (topic, partition) values ($1, $2) on conflict do nothing;

-- name: lock_position
-- How far a partition is in, and the first and the last day that are kept; keeps out a process that has lost the partition
-- and does not know yet. An erasure waits until the rows are there, or they wait and see it.
select next_offset, stamp, pg_advisory_xact_lock_shared(hashtextextended('recorded_erasures', 0)) as locked,
       ((now() - $3::interval) at time zone 'UTC')::date as oldest,
       (now() at time zone 'UTC')::date + $4::integer as latest
from recorded_positions where topic = $1 and partition = $2 for update;

-- name: move_position
-- Some records are in; so many of them came after their day was dropped.
update recorded_positions set next_offset = $3, stamp = greatest(stamp, $4), late = late + $5
where topic = $1 and partition = $2;

-- name: positions
-- How far each partition is in.
select topic, partition, next_offset, stamp, late from recorded_positions order by topic, partition;

-- name: decisions_beyond
-- Of some ids, those that were recorded when their day was too far ahead.
select project_id, decision_id from recorded_decisions
where day = 'infinity' and (project_id, decision_id) in (select * from unnest($1::text[], $2::text[]));

-- name: statuses_beyond
-- Of some ids, those that were recorded when their day was too far ahead.
select project_id, delivery_id, outcome, occurred_at from recorded_statuses
where day = 'infinity'
  and (project_id, delivery_id, outcome, occurred_at)
      in (select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]));

-- name: make_days
-- The days that rows of a table need.
select make_recorded_days($1, $2::date[]);

-- name: put_decisions
-- Decisions of a chunk, each id once. One that is known stays one row, and says what was told last. Of customers who were
-- erased since their event, what says more of them than an id is left out.
with given as (
    select g.*, e.customer_id is not null as erased
    from unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::text[], $18::timestamptz[], $19::timestamptz[], $20::text[], $21::timestamptz[])
         as g (day, project_id, decision_id, distribution_id, distribution_version, distribution_name, event_id, event_type,
               event_at, send_id, customer_id, outcome, reason, detail, arm, channel, delivery_id, until_at, due_at, checks,
               decided_at)
    left join erased_customers e
        on e.project_id = g.project_id and e.customer_id = g.customer_id and e.erased_at >= g.event_at
), put as (
    insert into recorded_decisions as r
        (day, project_id, decision_id, distribution_id, distribution_version, distribution_name, event_id, event_type,
         event_at, send_id, customer_id, outcome, reason, detail, arm, channel, delivery_id, until_at, due_at, checks,
         decided_at, recorded_at)
    select day, project_id, decision_id, distribution_id, distribution_version, distribution_name, event_id, event_type,
           event_at, send_id, customer_id, outcome, reason, case when not erased then detail end, arm, channel, delivery_id,
           until_at, due_at, case when erased then '[]' else checks end, decided_at, now()
    from given order by day, project_id, decision_id
    on conflict (day, project_id, decision_id) do update
        set distribution_version = excluded.distribution_version, distribution_name = excluded.distribution_name,
            outcome = excluded.outcome, reason = excluded.reason, detail = excluded.detail, arm = excluded.arm,
            channel = excluded.channel, delivery_id = excluded.delivery_id, until_at = excluded.until_at,
            checks = excluded.checks, decided_at = excluded.decided_at
        where (r.outcome, r.reason, r.detail, r.decided_at, r.checks)
              is distinct from (excluded.outcome, excluded.reason, excluded.detail, excluded.decided_at, excluded.checks)
    returning r.recorded_at = now() as is_new
)
select count(*) filter (where is_new) as new from put;

-- name: put_statuses
-- Ends and reports of a chunk, each once; see put_decisions.
with given as (
    select g.*, e.customer_id is not null as erased
    from unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[], $8::text[],
                $9::text[], $10::text[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::text[], $18::text[], $19::text[], $20::bigint[], $21::timestamptz[])
         as g (day, project_id, delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name,
               event_id, event_type, event_at, send_id, customer_id, channel, account, type, reason, detail, provider_id,
               attempts, due_at)
    left join erased_customers e
        on e.project_id = g.project_id and e.customer_id = g.customer_id and e.erased_at >= g.event_at
), put as (
    insert into recorded_statuses as r
        (day, project_id, delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name,
         event_id, event_type, event_at, send_id, customer_id, channel, account, type, reason, detail, provider_id, attempts,
         due_at, recorded_at)
    select day, project_id, delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name,
           event_id, event_type, event_at, send_id, customer_id, channel, account, type, reason,
           case when erased then '' else detail end, case when not erased then provider_id end, attempts, due_at, now()
    from given order by day, project_id, delivery_id, outcome, occurred_at
    on conflict (day, project_id, delivery_id, outcome, occurred_at) do update
        set account = excluded.account, reason = excluded.reason, detail = excluded.detail,
            provider_id = excluded.provider_id, attempts = excluded.attempts
        where (r.account, r.reason, r.detail, r.provider_id, r.attempts)
              is distinct from (excluded.account, excluded.reason, excluded.detail, excluded.provider_id, excluded.attempts)
    returning r.recorded_at = now() as is_new
)
select count(*) filter (where is_new) as new from put;

-- name: old_days
-- Days that are kept no longer, oldest first, with the table that has them.
select parent, day from (
    select p.relname::text as parent, to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i
    join pg_class p on p.oid = i.inhparent and p.oid in ('recorded_decisions'::regclass, 'recorded_statuses'::regclass)
    join pg_class c on c.oid = i.inhrelid and c.relname ~ '_[0-9]{8}$') as days
where day < ((now() - $1::interval) at time zone 'UTC')::date
order by day, parent;

-- name: drop_day
-- A day with all that is in it. It stays where somebody reads for long: nobody is to wait behind us.
select drop_recorded_day($1, $2::date);
