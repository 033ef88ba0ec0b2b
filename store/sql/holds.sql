-- name: add
-- Holds that are new; those of customers who were erased after their event are none.
insert into holds (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record, held_at)
select h.project_id, h.hold_id, h.round, h.distribution_id, h.customer_id, h.reason,
       coalesce(h.until_at, 'infinity'), h.arrived_at, h.record, now()
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::timestamptz[], $9::bytea[])
     as h (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record)
where not exists (
    select from erased_customers e
    where e.project_id = h.project_id and e.customer_id = h.customer_id and e.erased_at >= h.arrived_at)
on conflict do nothing
returning true;

-- name: erase
-- What waited for erased customers ends, and nothing of it is kept.
update holds h set record = null, ended_at = now()
from unnest($1::text[], $2::text[]) as asked (project_id, customer_id)
join erased_customers e using (project_id, customer_id)
where h.project_id = asked.project_id and h.customer_id = asked.customer_id and h.ended_at is null
  and h.arrived_at <= e.erased_at;

-- name: take
-- Those that are due, the longest overdue first; not those that another holder releases.
select project_id, hold_id, round, customer_id, record, canceled_by from holds
where ended_at is null and until_at <= now() order by until_at limit $1 for update skip locked;

-- name: end
-- These were released.
update holds h set record = null, ended_at = now()
from unnest($1::text[], $2::text[], $3::integer[]) as released (project_id, hold_id, round)
where h.project_id = released.project_id and h.hold_id = released.hold_id and h.round = released.round;

-- name: resumed
-- Distributions that had something waiting while they were paused, and are not paused any more. One step of the index
-- for each of them, however much waits.
with recursive paused as (
    (select project_id, distribution_id from holds
     where ended_at is null and reason = 'paused' order by project_id, distribution_id limit 1)
    union all
    select next.project_id, next.distribution_id
    from paused p cross join lateral (
        select project_id, distribution_id from holds
        where ended_at is null and reason = 'paused'
          and (project_id, distribution_id) > (p.project_id, p.distribution_id)
        order by project_id, distribution_id limit 1) as next
)
select p.project_id, p.distribution_id from paused p
where (select v.definition->>'status' from distribution_versions v
       where v.project_id = p.project_id and v.distribution_id = p.distribution_id
       order by v.version desc limit 1) is distinct from 'PAUSED';

-- name: wake
-- What waited for a distribution to go on is due.
with asleep as (
    select project_id, hold_id, round from holds
    where ended_at is null and reason = 'paused' and project_id = $1 and distribution_id = $2 and until_at = 'infinity'
    limit $3 for update skip locked
)
update holds h set until_at = now() from asleep
where h.project_id = asleep.project_id and h.hold_id = asleep.hold_id and h.round = asleep.round
returning true;

-- name: waiting
-- How many wait, and how late the first that is due is. Beyond $1 they are as many as the last analysis of the table found.
select case when counted.many > $1::bigint then greatest(counted.many, estimated.many) else counted.many end as waiting,
       extract(epoch from now() - first.until_at)::float8 as late
from (select count(*) as many from (select from holds where ended_at is null limit $1::bigint + 1) as known) as counted
cross join (select reltuples::bigint as many from pg_class where oid = 'holds_due'::regclass) as estimated
left join (select until_at from holds where ended_at is null and until_at <= now() order by until_at limit 1) as first
    on true;

-- name: forget
-- Those that were over so long ago that nothing makes them again.
with past as (
    select project_id, hold_id, round from holds where ended_at < now() - $1::interval order by ended_at limit $2
    for update skip locked
)
delete from holds h using past
where h.project_id = past.project_id and h.hold_id = past.hold_id and h.round = past.round
returning true;
