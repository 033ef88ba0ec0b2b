-- name: add_position
-- A partition that is read for the first time.
insert into recorded_positions (topic, partition) values ($1, $2) on conflict do nothing;

-- name: lock_position
-- How far a partition is in, and the first and the last day that are kept; keeps out a process that has lost the partition
-- and does not know yet. An erasure waits until the rows are there, or they wait and see it.
select source, next_offset, stamp, pg_advisory_xact_lock_shared(hashtextextended('recorded_erasures', 0)) as locked,
       ((now() - $3::interval) at time zone 'UTC')::date as oldest,
       (now() at time zone 'UTC')::date + $4::integer as latest, now() as now
from recorded_positions where topic = $1 and partition = $2 for update;

-- name: move_position
-- Some records are in; so many of them came after their day was dropped.
update recorded_positions set next_offset = $3, stamp = greatest(stamp, $4), late = late + $5
where topic = $1 and partition = $2;

-- name: positions
-- How far each partition is in.
select topic, partition, next_offset, stamp, late from recorded_positions order by topic, partition;

-- name: exceptions_of_decisions
-- True where there are decisions whose day was too far ahead, and customers who were erased since a moment: mostly there is not one, and none is
-- looked for.
select exists (select from recorded_decisions where day = 'infinity'),
       exists (select from erased_customers where erased_at >= $1);

-- name: exceptions_of_statuses
-- The same of ends of deliveries.
select exists (select from recorded_statuses where day = 'infinity'),
       exists (select from erased_customers where erased_at >= $1);

-- name: exceptions_of_purchases
-- The same of purchases.
select exists (select from recorded_purchases where day = 'infinity'),
       exists (select from erased_customers where erased_at >= $1);

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

-- name: purchases_beyond
-- Of some ids, those that were recorded when their day was too far ahead.
select project_id, event_id from recorded_purchases
where day = 'infinity' and (project_id, event_id) in (select * from unnest($1::text[], $2::text[]));

-- name: any_erased
-- True where one of some customers was erased since a moment.
select exists (select from unnest($1::text[], $2::text[]) as told (project_id, customer_id)
               join erased_customers e using (project_id, customer_id) where e.erased_at >= $3);

-- name: make_days
-- The days that rows of a table need, and their counts.
select make_recorded_days($1, $2::date[]);

-- name: changes
-- What rows that were put change of the counts of source $1: one that is told anew leaves the count that it was in.
(day, project_id, distribution_id, minute, send_id, outcome, reason, channel, arm, source, count)
    select day, project_id, distribution_id, date_trunc('minute', coalesce(due_at, event_at), 'UTC'), coalesce(send_id, ''),
           (told.state).outcome, coalesce((told.state).reason, ''), coalesce((told.state).channel, ''),
           coalesce((told.state).arm, ''), $1::integer, sum(told.by)
    from put
    cross join lateral (values (put.state, 1), (put.before, -1)) as told (state, by)
    where (told.state).outcome is not null
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
    having sum(told.by) <> 0
    on conflict (project_id, distribution_id, minute, outcome, reason, channel, arm, send_id, source, day) do update
        set count = c.count + excluded.count

-- name: stage_counts
-- Where counts of rows that are new are copied to; see stage_decisions.
create temporary table if not exists staged_counts_1 (
    day date, minute timestamptz, project_id text, distribution_id text, send_id text, outcome text, reason text, channel text,
    arm text, count bigint
) on commit delete rows;

-- name: counted
-- Counts that are staged, of source $1.
(day, project_id, distribution_id, minute, send_id, outcome, reason, channel, arm, source, count)
    select day, project_id, distribution_id, minute, send_id, outcome, reason, channel, arm, $1::integer, count
    from pg_temp.staged_counts_1
    on conflict (project_id, distribution_id, minute, outcome, reason, channel, arm, send_id, source, day) do update
        set count = c.count + excluded.count

-- name: count_decisions
-- Decisions that are new.
insert into recorded_decisions_by_minute as c :counted;

-- name: count_statuses
-- Ends and reports that are new.
insert into recorded_statuses_by_minute as c :counted;

-- name: stage_decisions
-- Where decisions of a chunk are copied to. It is the connection's own, is empty after each transaction and never reaches the
-- log. A pooler's connections outlast a release: one with other columns takes the next number.
create temporary table if not exists staged_decisions_1 (
    day date, project_id text, decision_id text, distribution_id text, distribution_version bigint, distribution_name text,
    event_id text, event_type text, event_at timestamptz, send_id text, customer_id text, outcome text, reason text,
    detail text, arm text, channel text, delivery_id text, until_at timestamptz, due_at timestamptz, checks text,
    decided_at timestamptz
) on commit delete rows;

-- name: stage_statuses
-- The same for ends and reports.
create temporary table if not exists staged_statuses_1 (
    day date, project_id text, delivery_id text, outcome text, occurred_at timestamptz, distribution_id text,
    distribution_version bigint, distribution_name text, event_id text, event_type text, event_at timestamptz,
    send_id text, customer_id text, channel text, account text, type text, reason text, detail text, provider_id text,
    attempts bigint, due_at timestamptz, arm text, code_key text
) on commit delete rows;

-- name: stage_purchases
-- The same for purchases.
create temporary table if not exists staged_purchases_1 (
    day date, project_id text, event_id text, customer_id text, event_at timestamptz, kind text, subject_id text,
    code_key text, amount bigint, currency text
) on commit delete rows;

-- name: put_decisions
-- Decisions that are staged, each id once, and their counts. One that is known stays one row, and says what was told last. Of
-- customers who were erased since their event, what says more of them than an id is left out.
with given as (
    select g.*, e.customer_id is not null as erased
    from pg_temp.staged_decisions_1 g
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
            checks = excluded.checks, decided_at = excluded.decided_at,
            before = (r.outcome, r.reason, r.channel, r.arm)::recorded_state
        where (r.outcome, r.reason, r.detail, r.decided_at, r.checks)
              is distinct from (excluded.outcome, excluded.reason, excluded.detail, excluded.decided_at, excluded.checks)
    returning r.day, r.project_id, r.distribution_id, r.event_at, r.due_at, r.send_id, r.before,
              (r.outcome, r.reason, r.channel, r.arm)::recorded_state as state
), counted as (
    insert into recorded_decisions_by_minute as c :changes
)
select count(*) filter (where (before).outcome is null) as new from put;

-- name: put_statuses
-- Ends and reports that are staged, each once; see put_decisions.
with given as (
    select g.*, e.customer_id is not null as erased
    from pg_temp.staged_statuses_1 g
    left join erased_customers e
        on e.project_id = g.project_id and e.customer_id = g.customer_id and e.erased_at >= g.event_at
), put as (
    insert into recorded_statuses as r
        (day, project_id, delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name,
         event_id, event_type, event_at, send_id, customer_id, channel, account, type, reason, detail, provider_id, attempts,
         due_at, arm, code_key, recorded_at)
    select day, project_id, delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name,
           event_id, event_type, event_at, send_id, customer_id, channel, account, type, reason,
           case when erased then '' else detail end, case when not erased then provider_id end, attempts, due_at, arm,
           case when not erased then code_key end, now()
    from given order by day, project_id, delivery_id, outcome, occurred_at
    on conflict (day, project_id, delivery_id, outcome, occurred_at) do update
        set account = excluded.account, reason = excluded.reason, detail = excluded.detail,
            provider_id = excluded.provider_id, attempts = excluded.attempts,
            before = (r.outcome, r.reason, r.channel, r.arm)::recorded_state
        where (r.account, r.reason, r.detail, r.provider_id, r.attempts)
              is distinct from (excluded.account, excluded.reason, excluded.detail, excluded.provider_id, excluded.attempts)
    returning r.day, r.project_id, r.distribution_id, r.event_at, r.due_at, r.send_id, r.before,
              (r.outcome, r.reason, r.channel, r.arm)::recorded_state as state
), counted as (
    insert into recorded_statuses_by_minute as c :changes
)
select count(*) filter (where (before).outcome is null) as new from put;

-- name: put_purchases
-- Purchases that are staged, each event once. Of customers who were erased since, no code is kept.
with given as (
    select g.*, e.customer_id is not null as erased
    from pg_temp.staged_purchases_1 g
    left join erased_customers e
        on e.project_id = g.project_id and e.customer_id = g.customer_id and e.erased_at >= g.event_at
), put as (
    insert into recorded_purchases
        (day, project_id, event_id, customer_id, event_at, kind, subject_id, code_key, amount, currency, recorded_at)
    select day, project_id, event_id, customer_id, event_at, kind, subject_id, case when not erased then code_key end, amount,
           currency, now()
    from given order by day, project_id, event_id
    on conflict (day, project_id, event_id) do nothing
    returning true
)
select count(*) as new from put;

-- name: lock_codes
-- Redemptions that look for deliveries wait for who writes such, and have them wait.
select pg_advisory_xact_lock(hashtextextended('recorded_codes', 0));

-- name: share_codes
-- Deliveries that look for redemptions do so together.
select pg_advisory_xact_lock_shared(hashtextextended('recorded_codes', 0));

-- name: candidate
-- A redemption, and a delivery that may have given its code.
select distinct on (p.day, p.project_id, p.event_id)
           p.day, p.project_id, p.event_id, s.delivery_id, s.occurred_at as sent_at, s.distribution_id,
           s.distribution_version, s.channel, s.arm

-- name: gave
-- A delivery gave the code of a redemption: it went out before, by clocks that may differ by a minute.
(s.project_id, s.code_key) = (p.project_id, p.code_key) and s.outcome in ('sent', 'recovered')
        and p.kind = 'redemption' and s.occurred_at <= p.event_at + interval '1 minute'

-- name: last_first
-- The last that gave it counts.
order by p.day, p.project_id, p.event_id, s.occurred_at desc, s.delivery_id desc

-- name: attribute
-- Redemptions name the best of the deliveries that were found, unless they name a later one already.
update recorded_purchases p
set delivery_id = best.delivery_id, sent_at = best.sent_at, distribution_id = best.distribution_id,
    distribution_version = best.distribution_version, channel = best.channel, arm = best.arm
from best
where (p.day, p.project_id, p.event_id) = (best.day, best.project_id, best.event_id)
  and (p.sent_at is null or (best.sent_at, best.delivery_id) > (p.sent_at, p.delivery_id))

-- name: attribute_purchases
-- Some redemptions find the deliveries that are there.
with best as (
    :candidate
    from unnest($1::date[], $2::text[], $3::text[]) as new (day, project_id, event_id)
    join recorded_purchases p on (p.day, p.project_id, p.event_id) = (new.day, new.project_id, new.event_id)
    join recorded_statuses s on :gave
    :last_first
)
:attribute;

-- name: attribute_statuses
-- Some deliveries are found by the redemptions that are there.
with best as (
    :candidate
    from unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
         as new (day, project_id, delivery_id, outcome, occurred_at)
    join recorded_statuses s on (s.day, s.project_id, s.delivery_id, s.outcome, s.occurred_at)
                              = (new.day, new.project_id, new.delivery_id, new.outcome, new.occurred_at)
    join recorded_purchases p on :gave
    :last_first
)
:attribute;

-- name: attribute_day
-- All redemptions of a day, or of all of them, find the deliveries that are there.
with best as (
    :candidate
    from recorded_purchases p join recorded_statuses s on :gave
    where p.code_key is not null and ($1::date is null or p.day = $1)
    :last_first
)
:attribute;

-- name: old_days
-- Days that are kept no longer, oldest first, with the table that has them.
select parent, day from (
    select p.relname::text as parent, to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i
    join pg_class p on p.oid = i.inhparent
        and p.oid in ('recorded_decisions'::regclass, 'recorded_statuses'::regclass, 'recorded_purchases'::regclass)
    join pg_class c on c.oid = i.inhrelid and c.relname ~ '_[0-9]{8}$') as days
where day < ((now() - $1::interval) at time zone 'UTC')::date
order by day, parent;

-- name: drop_day
-- A day with all that is in it. It stays where somebody reads for long: nobody is to wait behind us.
select drop_recorded_day($1, $2::date);
