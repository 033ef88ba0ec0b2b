-- name: add
-- Holds that are new; those of customers who were erased after their event are none. What follows a message that is known to
-- come nowhere is due at once.
with asked as (
    select *, string_to_array(follows, ' ') as following
    from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                $8::timestamptz[], $9::bytea[], $10::text[], $11::integer[], $12::integer[], $13::text[], $14::smallint[])
         as h (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record, send_id,
               priority, step, follows, unless)
)
insert into holds (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record, send_id,
                   priority, step, follows, unless, held_at)
select h.project_id, h.hold_id, h.round, h.distribution_id, h.customer_id, h.reason,
       case when gone.delivery_id is not null and h.priority is null then least(h.until_at, now())
            else coalesce(h.until_at, 'infinity') end,
       h.arrived_at, h.record, h.send_id, h.priority, h.step, h.following, h.unless, now()
from asked h left join delivery_reach gone
    on gone.project_id = h.project_id and gone.delivery_id = h.following[cardinality(h.following)] and gone.reached = 0
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

-- name: came
-- How far one of the messages came that a hold `h` follows, where that is far enough: read now, whichever of the two was read
-- first.
left join lateral (
    select r.reached, r.reached_at from delivery_reach r
    where r.project_id = h.project_id and r.delivery_id = any (h.follows) and r.reached >= h.unless
    order by r.reached desc, r.reached_at limit 1) as came on true

-- name: told
-- A hold `h` may be released as far as it follows messages: what became of them is read up to $2, so one that came due later
-- has to wait, unless somebody ended it.
(h.follows is null or h.until_at <= $2 or h.canceled_by is not null)

-- name: follows_due
-- True where something has come due since $1 that follows messages.
select exists (select from holds
               where ended_at is null and follows is not null and until_at > $1 and until_at <= now()) as is_due;

-- name: take
-- Those that are due, the longest overdue first; not those that another holder releases. Of a digest the event that leads;
-- none that waits by priority, unless somebody ended it.
select h.project_id, h.hold_id, h.round, h.customer_id, h.record, h.canceled_by, h.until_at, came.reached, came.reached_at,
       h.digest_id is not null as is_digest
from holds h :came
where h.ended_at is null and h.until_at <= now() and (h.digest_id is null or h.closed_as = h.hold_id)
  and (h.priority is null or h.canceled_by is not null)
  and :told
order by h.until_at limit $1 for update of h skip locked;

-- name: reached
-- Messages came so far. Kept are those of distributions that ask for it; what follows one of them and is not needed any
-- more is due at once, to be decided so.
with told as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[])
        as told (project_id, distribution_id, delivery_id, reached, reached_at)
), asking as (
    select t.project_id, t.distribution_id from (select distinct project_id, distribution_id from told) as t
    where exists (select from distribution_versions v
                  where v.project_id = t.project_id and v.distribution_id = t.distribution_id
                    and v.definition->>'fallback_after' is not null)
), furthest as (
    select distinct on (project_id, delivery_id) project_id, delivery_id, reached, reached_at
    from told join asking using (project_id, distribution_id)
    order by project_id, delivery_id, reached desc, reached_at
), kept as (
    insert into delivery_reach as r (project_id, delivery_id, reached, reached_at, noted_at)
    select project_id, delivery_id, reached, reached_at, now() from furthest order by project_id, delivery_id
    on conflict (project_id, delivery_id) do update
    set reached = excluded.reached, reached_at = excluded.reached_at, noted_at = excluded.noted_at
    where r.reached < excluded.reached
    returning true
), ended as (
    update holds h set until_at = now() from furthest f
    where h.project_id = f.project_id and h.follows @> array[f.delivery_id] and h.unless <= f.reached
      and h.ended_at is null and h.until_at > now() and h.until_at < 'infinity'
      and h.priority is null -- else all that is gathered with it would be due
)
select true from kept;

-- name: hurry
-- What follows a message that comes nowhere, as was noted no longer ago than $1, is due: of several the last that was sent.
-- Looked for again and again for so long, since the message and what follows it are noted beside each other.
update holds h set until_at = now() from delivery_reach r
where r.noted_at > now() - $1::interval and r.reached = 0
  and h.project_id = r.project_id and h.follows @> array[r.delivery_id]
  and h.follows[cardinality(h.follows)] = r.delivery_id
  and h.ended_at is null and h.until_at > now() and h.until_at < 'infinity'
  and h.priority is null -- else all that is gathered with it would be due
returning true;

-- name: forget_reached
-- How far messages came that nothing follows any more.
with past as (
    select project_id, delivery_id from delivery_reach where noted_at < now() - $1::interval order by noted_at limit $2
    for update skip locked
)
delete from delivery_reach r using past where r.project_id = past.project_id and r.delivery_id = past.delivery_id
returning true;

-- name: rank_alone
-- One holder at a time releases what waits by priority: two would publish a customer's in any order.
select pg_try_advisory_xact_lock(hashtextextended('tidings ranked holds', 0)) as is_alone;

-- name: take_ranked
-- What waits by priority for customers who have some due, the highest first; what is gathered comes along before its own
-- moment, with the first of it.
with due as (
    select project_id, customer_id, min(until_at) as first from (
        select project_id, customer_id, until_at from holds h
        where ended_at is null and priority is not null and canceled_by is null and until_at <= now() and :told
        order by until_at limit $1) as found
    group by project_id, customer_id
)
select h.project_id, h.hold_id, h.round, h.customer_id, h.record, h.canceled_by, h.until_at, came.reached, came.reached_at
from holds h join due using (project_id, customer_id) :came
where h.ended_at is null and h.priority is not null and h.canceled_by is null
  and (h.until_at <= now() or h.reason = 'gathered')
  and :told
order by due.first, h.project_id, h.customer_id, h.priority desc, h.arrived_at, h.step, h.hold_id, h.round
for update of h skip locked;

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

-- name: lock_digests
-- Nobody else adds to these or closes them before the transaction ends.
select pg_advisory_xact_lock(lock) from (
    select distinct hashtextextended(asked.project_id || chr(31) || asked.digest_id, 0) as lock
    from unnest($1::text[], $2::text[]) as asked (project_id, digest_id) order by 1) as locks;

-- name: known_digests
-- What is gathered or was: of each digest and moment, how much is kept, and whether more may come.
select h.project_id, h.digest_id, h.until_at as until, h.first_until, count(h.record)::integer as kept,
       coalesce(sum(octet_length(h.record)), 0)::bigint as size, h.closed_as is not null as is_closed
from holds h join (select distinct * from unnest($1::text[], $2::text[])) as asked (project_id, digest_id)
    using (project_id, digest_id)
where h.closed_as is not null or (h.ended_at is null and h.canceled_by is null)
group by h.project_id, h.digest_id, h.until_at, h.first_until, h.closed_as is not null;

-- name: fresh
-- Those that are new, and not of a customer who was erased after the event.
select asked.place::integer as place
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
     with ordinality as asked (project_id, hold_id, customer_id, arrived_at, place)
where not exists (select from holds h where h.project_id = asked.project_id and h.hold_id = asked.hold_id and h.round = 0)
  and not exists (
    select from erased_customers e
    where e.project_id = asked.project_id and e.customer_id = asked.customer_id and e.erased_at >= asked.arrived_at)
order by place;

-- name: gather
-- Events with their places in digests; one that goes alone is closed from the beginning.
insert into holds (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record, send_id,
                   held_at, digest_id, happened_at, first_until, closed_as)
select h.project_id, h.hold_id, h.round, h.distribution_id, h.customer_id, h.reason, h.until_at, h.arrived_at, h.record,
       h.send_id, now(), h.digest_id, h.happened_at, h.first_until, case when h.first_until is not null then h.hold_id end
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::timestamptz[], $9::bytea[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[])
     as h (project_id, hold_id, round, distribution_id, customer_id, reason, until_at, arrived_at, record, send_id, digest_id,
           happened_at, first_until)
on conflict do nothing;

-- name: digests_due
-- Digests whose window is over, or which somebody has ended, and which are not closed yet.
select distinct project_id, digest_id from (
    select project_id, digest_id from holds
    where ended_at is null and digest_id is not null and closed_as is null and until_at <= now()
    order by until_at limit $1) as due;

-- name: close
-- Nothing is added to these from now on. The oldest event that is kept leads.
update holds h set closed_as = found.leads
from (select one.project_id, one.hold_id, one.round,
             first_value(one.hold_id) over (
                 partition by one.project_id, one.digest_id, one.until_at, one.canceled_by
                 order by one.record is null, one.happened_at, one.hold_id) as leads
      from holds one join unnest($1::text[], $2::text[]) as asked (project_id, digest_id) using (project_id, digest_id)
      where one.ended_at is null and one.closed_as is null and one.until_at <= now()) as found
where h.project_id = found.project_id and h.hold_id = found.hold_id and h.round = found.round;

-- name: gathered
-- The other events of digests, the oldest first; those without a record are counted alone.
select h.project_id, h.closed_as, h.record
from holds h join unnest($1::text[], $2::text[]) as leads (project_id, hold_id)
    on h.project_id = leads.project_id and h.closed_as = leads.hold_id
where h.ended_at is null and h.hold_id <> h.closed_as
order by h.happened_at, h.hold_id;

-- name: end_gathered
-- The other events of digests that were released.
update holds h set record = null, ended_at = now()
from unnest($1::text[], $2::text[]) as leads (project_id, hold_id)
where h.project_id = leads.project_id and h.closed_as = leads.hold_id and h.ended_at is null;

-- name: reopen
-- Events whose digest lost the one that leads, since it was from before their customer was erased: another one will lead.
update holds h set closed_as = null
from holds leads
where h.ended_at is null and h.closed_as is not null and h.closed_as <> h.hold_id
  and leads.project_id = h.project_id and leads.hold_id = h.closed_as and leads.round = 0 and leads.ended_at is not null;
