-- Every time in this file is the database's: senders say how long, never until when.

-- name: keys
-- What a delivery `d` is compared by: hashes of its address, its host and the wildcards above.
coalesce(d.address_keys, stored_address_keys(d.channel, d.record))

-- name: suppression
-- Why a delivery `d` may not leave: its address or number, its domain or a wildcard above is suppressed. Null where it may.
select case when s.key like '%@%' then 'its address' when s.key like '+%' then 'its number'
            when s.key like 'sha256:%' then 'its address' else s.key end || ' is suppressed: ' || s.reason || ', since '
       || to_char(s.added_at at time zone 'UTC', 'YYYY-MM-DD')
from suppressions s
where s.project_id = d.project_id and s.key_hash = any(:keys)
  and s.channel in ('', d.channel) and (s.expires_at is null or s.expires_at > now())
limit 1

-- name: sandbox
-- Why a delivery `d` may not leave: its project is a sandbox that does not reach its address. Null where it may.
select 'its project is a sandbox, and its address is not on the list of those it reaches'
from projects p
where p.project_id = d.project_id and p.reached is not null and not p.reached && :keys

-- name: choice
-- Why a delivery `d` may not leave: its customer has withdrawn the consent with us, and no profile since then took that
-- over. Null where it may.
select asked.category || ': withdrawn by the customer on ' || to_char(c.chosen_at at time zone 'UTC', 'YYYY-MM-DD')
from consent_choices c
cross join lateral (select coalesce(d.category, stored_category(d.record)) as category) as asked
where c.project_id = d.project_id and c.customer_id = d.customer_id and not c.given and c.taken_over_at is null
  and asked.category <> 'transactional' and c.category in (asked.category, '*')
limit 1

-- name: withdrawal
-- Why a delivery `d` may not leave: its customer has withdrawn the consent since its event. Null where it may.
select category || ': withdrawn after the decision'
from consents c cross join lateral (select coalesce(d.category, stored_category(d.record)) as category) as asked
where c.project_id = d.project_id and c.customer_id = d.customer_id and c.changed_at >= d.arrived_at
  and category <> 'transactional' and category <> all(c.given)

-- name: stopped_send
-- Why a delivery `d` may not leave: the manual send that it is a part of was stopped. Null where it may.
select 'its send was stopped' from sends s
where s.project_id = d.project_id and s.send_id = d.send_id and s.status = 'STOPPED'

-- name: paused_send
-- When a delivery `d` is due at the earliest: not while the manual send that it is a part of is paused.
select 'infinity'::timestamptz from sends s
where s.project_id = d.project_id and s.send_id = d.send_id and s.status = 'PAUSED'

-- name: stop
-- The reason why a delivery `d` may not leave any more, and the same in words; null where it may.
(select case when ended is not null then array['canceled', ended]
             when suppressed is not null then array['suppressed', suppressed]
             when withdrawn is not null then array['consent', withdrawn] end
 from (select (:stopped_send) as ended,
              coalesce((:suppression), (:sandbox)) as suppressed,
              coalesce((:choice), (:withdrawal)) as withdrawn offset 0) as looked)

-- name: granted
-- How many of what is `counted` the limits of each project let leave, of projects in their order, so that two claims do
-- not wait for each other. To be materialized: each look takes.
select project_id, g.*
from (select project_id, count(*)::integer as wanted from counted group by 1 order by 1) as asked
cross join lateral take_of_limits(project_id, wanted, now()) as g

-- name: taken
-- Of what is `counted` the day of each that may leave by what was `granted`, and the reason why another may not.
select which, today as day, case when place > granted then array['limit', refused] end as refused
from counted join granted using (project_id)

-- name: claim_new
-- Takes deliveries into the ledger with a lease; those whose ids are known are left alone, whatever became of them.
-- A delivery that is not due yet gets no lease, nor does that of an erased customer. One that is older than all that may
-- have been forgotten, or than $22, is over at once: it may have been sent before. Returns those that are now ours to
-- send, and how long they are valid. What is over its project's limit is over as well. `offset 0` has the planner judge each delivery once: else it does so anew for each
-- column that the judgement stands in.
with claimed as (
    insert into claims (delivery_key, last_day)
    select r.delivery_key,
           case when r.repeats_until is not null
                then (greatest(r.repeats_until, now()) at time zone 'UTC')::date end -- its content is kept from now
    from unnest($23::uuid[], $14::timestamptz[]) as r (delivery_key, repeats_until)
    order by 1 -- so that two who claim the same do not wait for each other
    on conflict do nothing
    returning delivery_key
), looked as (
    select d.*, due_at, is_past, stop, is_ours
    from (select *, written_keys::uuid[] as address_keys
          from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                      $9::integer[], $10::timestamptz[], $11::bytea[], $12::timestamptz[], $13::timestamptz[],
                      $15::timestamptz[], $16::interval[], $17::text[], $18::text[], $19::text[], $23::uuid[],
                      $24::text[])
                   as r (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel,
                         destination, priority, expires_at, record, arrived_at, happened_at, not_before, wait, lane,
                         category, written_keys, delivery_key, send_id)) as d
    join claimed using (delivery_key)
    cross join lateral (select greatest(now() + d.wait, d.not_before, (:paused_send)) as due_at,
                               d.happened_at < greatest((select at from oldest_event), now() - $22::interval)
                                   as is_past offset 0) as judged
    cross join lateral (select case when due_at <= now() and not is_past then :stop end as stop offset 0) as last_look
    cross join lateral (
        select due_at <= now() and not is_past and stop is null
               and not exists (select from erased_customers e
                               where e.project_id = d.project_id and e.customer_id = d.customer_id
                                 and e.erased_at >= d.arrived_at) as is_ours offset 0) as lease
), counted as (
    select delivery_id as which, project_id,
           row_number() over (partition by project_id order by priority desc, delivery_id) as place
    from (select distinct on (delivery_id) delivery_id, project_id, priority
          from looked join project_limits using (project_id)
          where is_ours and (expires_at is null or expires_at > now())
          order by delivery_id) as each -- the same id twice in one batch counts once
), granted as materialized (
    :granted
), taken as (
    :taken
), entered as (
    insert into open_deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                                 channel, destination, lane, priority, expires_at, record, arrived_at, due_at,
                                 lease_owner, lease_until, state, reason, detail, settled_at, created_at, category, address_keys,
                                 send_id, counted_on)
    select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel,
           destination, lane, priority, expires_at, record, arrived_at, due_at,
           case when is_ours and refused is null then $20::text end,
           case when is_ours and refused is null then now() + $21::interval end,
           case when is_past or ending is not null then 'failed' else 'waiting' end,
           case when is_past then 'expired' else ending[1] end,
           case when is_past then 'its event is older than what is kept' else coalesce(ending[2], '') end,
           case when is_past or ending is not null then now() end,
           now(), category, address_keys, send_id, case when refused is null then day end
    from looked left join taken on taken.which = delivery_id
    cross join lateral (select coalesce(stop, refused) as ending) as judged
    on conflict do nothing -- the same id twice in one batch
    returning delivery_id, lease_owner, expires_at
)
select delivery_id, case when isfinite(expires_at) then expires_at - clock_timestamp() end as expires_in
from entered where lease_owner is not null;

-- name: next_queue
-- The queue after the one in `queues` in which something waits without a lease, with when its oldest is due: found in the
-- index, a million that wait in one are not looked at.
select d.project_id, d.channel, d.destination, d.lane, d.distribution_id, d.due_at from open_deliveries d
where d.state = 'waiting' and d.lease_owner is null
  and (d.project_id, d.channel, d.destination, d.lane, d.distribution_id)
      > (queues.project_id, queues.channel, queues.destination, queues.lane, queues.distribution_id)
order by d.project_id, d.channel, d.destination, d.lane, d.distribution_id, d.due_at limit 1

-- name: look
-- The queues behind the one in $1 to $5, at most $6, with when the oldest of each is due; null at the end of the calendar,
-- and of paused destinations, but for those in $7 to $9.
with recursive queues as (
    (select following.*, 1 as number
     from (values ($1::text, $2::text, $3::text, $4::text, $5::text))
              as queues (project_id, channel, destination, lane, distribution_id)
     cross join lateral (:next_queue) as following)
    union all
    select following.*, queues.number + 1 from queues cross join lateral (:next_queue) as following
    where queues.number < $6
)
select project_id, channel, destination, lane, distribution_id, due_at,
       case when isfinite(due_at)
                 and (not exists (select from paused_destinations p
                                  where p.project_id = queues.project_id and p.channel = queues.channel
                                    and p.destination = queues.destination)
                      or (project_id, channel, destination) in (select * from unnest($7::text[], $8::text[], $9::text[])))
            then due_at - now() end as due_in
from queues order by number;

-- name: lanes
-- The lanes of a destination, and how often each has its turn while all of them have something: a live message passes by
-- a million of the others, and these never come to rest.
values ('live', 16), ('retry', 3), ('bulk', 1)

-- name: claim_due
-- Leases what is due and free, or was leased by a sender that is gone; never waits for another claimer.
-- Lanes of a destination take turns by their shares, drawn by lot where there is room for one alone, and distributions
-- take turns in a lane; projects take turns, each with the rounds of its lanes in order, the higher priority first in a
-- round.
-- At most $4 of one destination, so that a dead one cannot fill the batch; or what $9 says for those in $6 to $8, none
-- where that is 0. With $5, leases of others that have ended are taken over; our own always are.
-- Of the bulk lane as many as $17 says for those in $6 to $8, so that what comes live finds places left.
-- Of paused destinations those queues alone for which $16 says that their account has another in its place.
-- Only the queues in $10 to $14 are asked, and of each only what is due since $15: index entries of what has left, which
-- stay while any old transaction is open, are not read again by each claim. The oldest of each comes back too.
-- What has never been tried is taken of its project's limits; what is over them comes with that as its stop.
-- Rows are found again by where they stand (ctid), which a statement may since it sees one version of each; a row that has
-- changed meanwhile is left to the next claim. The 2,000 are for the planner: without a number that it can read it expects
-- to get a tenth of all that waits.
with limited as (
    select * from unnest($6::text[], $7::text[], $8::text[], $9::integer[], $17::integer[])
                      as l (project_id, channel, destination, capacity, for_bulk)
), queues as (
    select * from unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[],
                         $16::boolean[]) with ordinality
                      as q (project_id, channel, destination, lane, distribution_id, since, passes, number)
    where passes
       or not exists (select from paused_destinations p
                      where p.project_id = q.project_id and p.channel = q.channel and p.destination = q.destination)
), oldest as (
    select queues.number, first.due_at
    from queues cross join lateral (
        select d.due_at from open_deliveries d
        where d.state = 'waiting' and d.lease_owner is null and d.due_at >= queues.since
          and d.project_id = queues.project_id and d.channel = queues.channel and d.destination = queues.destination
          and d.lane = queues.lane and d.distribution_id = queues.distribution_id
        order by d.due_at limit 1) as first
), free as (
    select one.*, queues.project_id, queues.channel, queues.destination, queues.lane, queues.distribution_id
    from oldest join queues using (number)
    left join limited using (project_id, channel, destination)
    cross join lateral (
        select * from (
            select d.ctid as row_place, d.delivery_id, d.priority, d.due_at from open_deliveries d
            where d.state = 'waiting' and d.lease_owner is null and d.due_at >= oldest.due_at and d.due_at <= now()
              and d.project_id = queues.project_id and d.channel = queues.channel
              and d.destination = queues.destination and d.lane = queues.lane
              and d.distribution_id = queues.distribution_id
            order by d.due_at, d.delivery_id limit 2000) as those
        limit coalesce(limited.capacity, $4)) as one
), abandoned as (
    select ctid as row_place, delivery_id, priority, due_at, project_id, channel, destination, lane, distribution_id
    from open_deliveries d
    where state = 'waiting' and lease_owner is not null and lease_until < now() and ($5 or lease_owner = $1)
      and not exists (select from paused_destinations p
                      where p.project_id = d.project_id and p.channel = d.channel and p.destination = d.destination)
), due as (
    select *, row_number() over (partition by project_id, channel, destination order by turn) as place
    from (select in_turn.*, (row_number() over (partition by project_id, channel, destination, lane
                                                order by turn_of_distribution, due_at, delivery_id) - random()) / share
                     as turn
          from (select either.*, row_number() over (partition by project_id, channel, destination, lane, distribution_id
                                                    order by due_at, delivery_id) as turn_of_distribution
                from (select * from free union all select * from abandoned) as either) as in_turn
          join (:lanes) as lanes (lane, share) using (lane)) as by_lane
), first as (
    select row_place, priority, due_at,
           row_number() over (partition by project_id order by ceil(turn), priority desc, due_at) as place
    from due left join limited using (project_id, channel, destination)
    where place <= coalesce(case when lane = 'bulk' then for_bulk end, capacity, $4)
    order by place, priority desc, due_at limit 2000
), chosen as (
    select d.ctid as row_place, d.project_id, first.place, first.priority, first.due_at
    from first
    join open_deliveries d on d.ctid = first.row_place
    where d.state = 'waiting' and d.due_at <= now()
      and (d.lease_owner is null or d.lease_until < now() and ($5 or d.lease_owner = $1))
    order by first.place, first.priority desc, first.due_at
    limit $3
    for update of d skip locked
), counted as (
    select row_place as which, project_id,
           row_number() over (partition by project_id order by place, priority desc, due_at) as place
    from (select chosen.* from chosen join project_limits using (project_id) offset 0) as limited
    cross join lateral (
        select from open_deliveries d
        where d.ctid = limited.row_place and d.counted_on is null and d.attempts = 0
          and (d.expires_at is null or d.expires_at > now()) and :stop is null
          and not exists (select from erased_customers e
                          where e.project_id = d.project_id and e.customer_id = d.customer_id
                            and e.erased_at >= d.arrived_at) offset 0) as untried
), granted as materialized (
    :granted
), taken as (
    :taken
), claimed as (
    update open_deliveries d
    set lease_owner = $1, lease_until = now() + $2::interval,
        possibly_accepted = d.possibly_accepted or d.lease_owner is not null, -- whoever had it did not say
        counted_on = case when taken.refused is null then coalesce(taken.day, d.counted_on) end
    from chosen left join taken on taken.which = chosen.row_place
    where d.ctid = chosen.row_place
    returning d.delivery_id, d.possibly_accepted, d.project_id, d.channel, d.destination,
              d.attempts - d.attempts_before as attempts, d.record, d.arrived_at,
              case when isfinite(d.expires_at) then d.expires_at - clock_timestamp() end as expires_in,
              exists (select from erased_customers e
                      where e.project_id = d.project_id and e.customer_id = d.customer_id
                        and e.erased_at >= d.arrived_at) as is_erased,
              coalesce(:stop, taken.refused) as stop
)
select claimed.*, null::bigint as number, null::timestamptz as due_at, null::interval as due_in from claimed
union all
select null, null, null, null, null, null, null, null, null, null, null, number, due_at,
       case when isfinite(due_at) then due_at - now() end
from oldest;

-- name: settle
-- Writes what came of attempts: the attempt itself, and the delivery's new state. Rows that another sender has taken
-- over are left alone, but what was accepted counts whoever has it now, and though it was cancelled or has failed
-- meanwhile: nobody should send it again. Returns what was settled. A `waiting` one goes back to the queue, due again after its wait; once tried, to that of the retries.
with result as (
    select * from unnest($1::text[], $2::text[], $3::interval[], $4::text[], $5::text[], $6::text[],
                         $7::interval[], $8::integer[], $9::boolean[], $11::text[], $12::boolean[])
                      as r (delivery_id, state, wait, reason, detail, provider_id, ago, duration_ms, tried, through,
                            is_ambiguous)
)
update open_deliveries d
set state = case when r.state = 'sent' and d.attempts > 0 then 'recovered' else r.state end,
    due_at = greatest(coalesce(now() + r.wait, d.due_at), case when r.state = 'waiting' then (:paused_send) end),
    lane = case when r.tried then 'retry' else d.lane end,
    attempts = d.attempts + r.tried::int,
    tries = case when r.tried
                 then d.tries || (now() - r.ago, r.duration_ms,
                                  case when r.state = 'waiting' then 'deferred'
                                       when r.state = 'sent' and d.attempts > 0 then 'recovered' else r.state end,
                                  case when d.erased then '' else r.detail end)::attempt
                 else d.tries end,
    reason = r.reason,
    through = case when r.tried then r.through else d.through end,
    possibly_accepted = d.possibly_accepted or r.is_ambiguous,
    detail = case when d.erased then '' else r.detail end, -- answers name addresses
    provider_id = case when d.erased then null else r.provider_id end,
    lease_owner = null, lease_until = null,
    settled_at = case when r.state = 'waiting' then null else now() end
from result r
where d.delivery_id = r.delivery_id
  and (d.state = 'waiting' and d.lease_owner = $10 or r.state = 'sent' and d.state in ('waiting', 'failed'))
returning d.delivery_id, d.attempts, d.state, d.settled_at, d.detail, d.provider_id,
          d.project_id, d.channel, d.destination, d.lane, d.distribution_id, d.due_at,
          case when isfinite(d.due_at) then d.due_at - now() end as due_in;

-- name: settle_ended
-- What was accepted after delivery.status had been told that it failed: it is in the queue once more, with an end that
-- is still to be told.
with result as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::interval[], $5::integer[], $6::text[])
                      as r (delivery_id, detail, provider_id, ago, duration_ms, through)
), taken as (
    delete from ended_deliveries d using result r
    where d.delivery_id = r.delivery_id and d.state = 'failed'
    returning d.*, case when d.attempts > 0 then 'recovered' else 'sent' end as outcome, r.ago, r.duration_ms,
              r.through as accepted_through, case when d.erased then '' else r.detail end as answer,
              case when not d.erased then r.provider_id end as accepted_as
)
insert into open_deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                             channel, destination, lane, priority, expires_at, record, arrived_at, state, due_at,
                             attempts, detail, provider_id, created_at, settled_at, erased, tries, actions, through, send_id,
                             counted_on)
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       'retry', priority, expires_at, record, arrived_at, outcome, due_at, attempts + 1, answer, accepted_as, created_at,
       now(), erased, tries || (now() - ago, duration_ms, outcome, answer)::attempt, actions, accepted_through, send_id,
       counted_on
from taken
returning delivery_id, attempts, state, settled_at, detail, provider_id;

-- name: renew
-- Lengthens the lease of deliveries that are still being sent; those that are still ours, though it may have ended.
-- Waits for no row: one that is taken is being settled, and the two statements would wait for each other's next.
with held as (
    select delivery_id from open_deliveries
    where delivery_id = any($1::text[]) and lease_owner = $2 and state = 'waiting'
    for update skip locked
)
update open_deliveries d set lease_until = now() + $3::interval
from held where d.delivery_id = held.delivery_id
returning d.delivery_id;

-- name: stopped
-- Of deliveries that are about to leave, those that may not any more, and why.
select delivery_id, stop
from (select d.delivery_id, :stop as stop from open_deliveries d
      where d.delivery_id = any($1::text[])) as asked
where stop is not null;

-- name: known_ids
-- Of a provider's ids for messages of a channel, those of other deliveries than $3.
select provider_id from deliveries
where project_id = $1 and channel = $2 and provider_id = any($4::text[]) and delivery_id <> $3;

-- name: end_expired
-- What waits, also for a destination that is paused, and is not valid any more: at most $1, those that ended first.
with chosen as (
    select delivery_id from open_deliveries
    where state = 'waiting' and lease_owner is null and expires_at <= now()
    order by expires_at limit $1
    for update skip locked
)
update open_deliveries d
set state = 'failed', reason = 'expired', settled_at = now(),
    detail = 'expired while it waited' || case when d.detail <> '' then ': ' || d.detail else '' end
from chosen where d.delivery_id = chosen.delivery_id
returning d.delivery_id, d.state, d.reason, d.detail, d.provider_id, d.attempts, d.settled_at, d.record, d.through;

-- name: claim_unannounced
-- Outcomes that delivery.status has not been told, those that ended first; left by a sender that died in between, or by
-- none that judged them: what was cancelled, and what was over when it came. They are $3's to tell for $4, so that two
-- senders that look at once do not tell the same.
with chosen as (
    select delivery_id from open_deliveries
    where state <> 'waiting' and settled_at < now() - $1::interval and (lease_until is null or lease_until < now())
    order by settled_at limit $2
    for update skip locked
)
update open_deliveries d set lease_owner = $3, lease_until = now() + $4::interval
from chosen where d.delivery_id = chosen.delivery_id
returning d.delivery_id, d.state, d.reason, d.detail, d.provider_id, d.attempts, d.settled_at, d.record, d.through,
          coalesce(d.reason = 'canceled' or d.settled_at = d.created_at, false) as is_unjudged;

-- name: mark_announced
-- delivery.status has acknowledged these ends, each named by when it was: they are over, and leave the queue. What was
-- sent again since has another end, which is still to be told. Of one that has waited long, the id stays
-- as long as if it had come now, since the content does.
with told as (
    delete from open_deliveries d using unnest($1::text[], $2::timestamptz[]) as r (delivery_id, settled_at)
    where d.delivery_id = r.delivery_id and d.settled_at = r.settled_at and d.state <> 'waiting'
    returning d.*
), kept as (
    update claims c set last_day = (now() at time zone 'UTC')::date
    from told
    where told.created_at < now() - interval '1 day' and c.delivery_key = claim_key(told.delivery_id)
      and c.last_day < (now() at time zone 'UTC')::date
)
insert into ended_deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                              channel, destination, priority, expires_at, record, arrived_at, state, due_at, attempts,
                              reason, detail, provider_id, created_at, settled_at, announced_at, erased, tries, actions,
                              possibly_accepted, through, send_id, counted_on)
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       priority, expires_at, record, arrived_at, state, due_at, attempts, reason, detail, provider_id, created_at,
       settled_at, now(), erased, tries, actions, possibly_accepted, through,
       send_id, counted_on
from told;

-- name: again_of
-- How often a customer may get what some versions of distributions send; none where we do not have the version.
select project_id, distribution_id, version, v.definition->'again' as again
from unnest($1::text[], $2::text[], $3::bigint[]) as asked (project_id, distribution_id, version)
join distribution_versions v using (project_id, distribution_id, version);

-- name: counts
-- How many deliveries stand where.
select channel, state, coalesce(reason, '') as reason, count(*) as count
from deliveries group by 1, 2, 3 order by 1, 2, 3;

-- name: deliveries_of_customer
-- A customer's deliveries, newest first.
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       state, reason, detail, provider_id, attempts, due_at, created_at, settled_at
from deliveries where project_id = $1 and customer_id = $2 order by created_at desc limit $3;

-- name: one_delivery
-- One delivery.
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       state, reason, detail, provider_id, attempts, due_at, created_at, settled_at
from deliveries where delivery_id = $1;

-- name: some_deliveries
-- Deliveries by their ids, newest first.
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       state, reason, detail, provider_id, attempts, due_at, created_at, settled_at
from deliveries where project_id = $1 and delivery_id = any($2::text[]) order by created_at desc;

-- name: attempts_of
-- The attempts of some deliveries, in order.
select d.delivery_id, t.number, t.at, t.duration_ms, t.outcome, t.detail
from deliveries d cross join lateral unnest(d.tries) with ordinality as t (at, duration_ms, outcome, detail, number)
where d.delivery_id = any($1::text[]) order by d.delivery_id, t.number;

-- name: pause_destination
-- Stops sending to a destination.
insert into paused_destinations (project_id, channel, destination, reason, kind, paused_at)
values ($1, $2, $3, $4, $5, now())
on conflict do nothing;

-- name: resume_destination
-- Starts sending again; what waited is due at once.
delete from paused_destinations where project_id = $1 and channel = $2 and destination = $3 returning true;

-- name: paused_destinations
-- What is paused and why.
select project_id, channel, destination, reason, kind from paused_destinations order by 1, 2, 3;

-- name: release_leases
-- Gives back what an earlier process of the same name held when it ended; it may have sent what it had no time to tell.
with told as (
    update open_deliveries set lease_owner = null, lease_until = null
    where lease_owner = $1 and state <> 'waiting'
)
update open_deliveries set lease_owner = null, lease_until = null, possibly_accepted = true
where lease_owner = $1 and state = 'waiting'
returning delivery_id;

-- name: hurried_destinations
-- What somebody wants asked at once; for as long as every sender that lives has looked by then.
select project_id, channel, destination, hurried_at from hurried_destinations where hurried_at > now() - interval '1 hour';

-- name: failing_destinations
-- Destinations whose breaker is open, but for those that are paused as well.
(select project_id, channel, destination, why,
        to_timestamp((state->>'opened_at')::float8) as opened_at
 from breakers one
 where state->>'opened_at' is not null
   and not exists (select from paused_destinations p
                   where p.project_id = one.project_id and p.channel = one.channel
                     and p.destination = one.destination)) as b

-- name: held_destinations
-- What of a project waits because of its destination, with how much and since when: those that are paused, those that
-- fail and are asked by one message at a time, and those that have said that it is too much.
select p.channel, p.destination, 'paused' as state, p.kind, p.reason, p.paused_at, w.waiting, w.oldest
from paused_destinations p cross join lateral (
    select count(*) as waiting, min(d.created_at) as oldest from open_deliveries d
    where d.state = 'waiting' and d.project_id = p.project_id and d.channel = p.channel
      and d.destination = p.destination) as w
where p.project_id = $1
union all
select b.channel, b.destination, 'failing', null, b.why, b.opened_at, w.waiting, w.oldest
from :failing_destinations cross join lateral (
    select count(*) as waiting, min(d.created_at) as oldest from open_deliveries d
    where d.state = 'waiting' and d.project_id = b.project_id and d.channel = b.channel
      and d.destination = b.destination) as w
where b.project_id = $1
union all
select d.channel, d.destination, 'throttled', null, max(d.detail), null, count(*), min(d.created_at)
from open_deliveries d
where d.state = 'waiting' and d.reason = 'throttled' and d.project_id = $1
  and not exists (select from paused_destinations p
                  where p.project_id = d.project_id and p.channel = d.channel and p.destination = d.destination)
group by 1, 2
order by 1, 2;
