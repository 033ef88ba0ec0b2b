-- Deliveries as people choose them. `:chosen` stands for the block of that name, and so do the other names of blocks;
-- `:within` and `:in_the_way` are the action's, `:suppression` and `:choice` are the ledger's, `:found_by` is a block by
-- which the few that fit are found, or true.

-- name: chosen
-- A filter: null lets everything through. A reason of '' is none.
(d.project_id = $1
and ($2::text[] is null or d.delivery_id = any($2)) and ($3::text is null or d.distribution_id = $3)
and ($4::text is null or d.channel = $4) and ($5::text is null or d.destination = $5)
and ($6::text is null or d.customer_id = $6) and ($7::text is null or d.state = $7)
and ($8::text is null or coalesce(d.reason, '') = $8)
and ($9::text is null or position(lower($9) in lower(d.detail)) > 0)
and ($10::timestamptz is null or d.created_at >= $10) and ($11::timestamptz is null or d.created_at < $11)
and ($12::text is null
     or case when $12 in ('waiting', 'sent', 'recovered') then d.state = $12
             when $12 in ('delivered', 'bounced', 'complained')
             then d.state in ('sent', 'recovered')
                  and exists (select from status_events e where e.project_id = d.project_id
                                                            and e.delivery_id = d.delivery_id and e.outcome = $12)
                  and case :reported when $12 then true else false end -- as if of many: then the newest are looked at first
             when $12 = 'failed' -- the same in words of which the planner knows how many fit: it stops at the first few
             then d.state = 'failed' and coalesce(d.reason, '') not in ('suppressed', 'expired', 'canceled', 'consent')
             else d.state not in ('sent', 'recovered') and $12 = :status_now end)
and ($13::timestamptz is null or d.settled_at < $13))

-- name: reported
-- The end that its provider told of a delivery since it was sent, or sent again; the gravest of several. Null: it told
-- of none.
(select e.outcome from status_events e
 where e.project_id = d.project_id and e.delivery_id = d.delivery_id
   and e.recorded_at > coalesce((select max(a.at) from unnest(d.actions) as a where a.action = 'resend'), '-infinity')
 order by array_position(array['complained', 'bounced', 'delivered'], e.outcome) limit 1)

-- name: status_now
-- Its outcome, or what it waits for: held is its destination's fault, and what waits for a further try is retried. Of
-- what was sent, what its provider reported later.
(case when d.state in ('sent', 'recovered') then coalesce(:reported, d.state)
      when d.state = 'failed' and d.reason in ('suppressed', 'expired', 'canceled') then d.reason
      when d.state = 'failed' and d.reason = 'consent' then 'suppressed'
      when d.state <> 'waiting' then d.state
      when d.reason in ('paused', 'throttled', 'breaker_open')
           or exists (select from paused_destinations p
                      where p.project_id = d.project_id and p.channel = d.channel and p.destination = d.destination)
           or exists (select from breakers b
                      where b.project_id = d.project_id and b.channel = d.channel and b.destination = d.destination
                        and b.state->>'opened_at' is not null)
      then 'held'
      when d.attempts > 0 then 'retried'
      else 'waiting' end)

-- name: listed
-- The newest, without their records; behind the one that was taken in at $15 and has the id $16.
select delivery_id, distribution_id, customer_id, channel, destination, state, :status_now as status, reason, detail,
       attempts, due_at, created_at, settled_at
from deliveries d
where :chosen and :found_by
  and ($15::timestamptz is null
       or d.created_at <= $15 and (d.created_at < $15 or d.delivery_id > $16::text))
order by created_at desc, delivery_id
limit $14;

-- name: found_by_reports
-- Those of which a provider told this end: the planner begins with them where they are few, which it cannot within a case.
d.delivery_id in (select e.delivery_id from status_events e where e.project_id = $1 and e.outcome = $12)

-- name: found_by_reason
-- What has this reason, and so was not sent: an index of that tells it without the rows of others.
d.state <> 'sent' and d.reason = $8

-- name: found_by_end
-- The same of the reasons that a status stands for; true of others. Said before the whole of a status is looked at.
(case $12 when 'suppressed' then d.reason in ('suppressed', 'consent')
          when 'expired' then d.reason = 'expired' when 'canceled' then d.reason = 'canceled' else true end)

-- name: found_by_destination
-- What waits for a reason that is its destination's, or for one that is held, of which there are few.
(d.reason in ('paused', 'throttled', 'breaker_open')
 or (d.channel, d.destination) in (select channel, destination from paused_destinations where project_id = $1
                                   union all
                                   select channel, destination from breakers where project_id = $1))

-- name: missed
-- The ids that a filter names and its rest leaves out, each with its status; null where no delivery has it.
select named.delivery_id, case when d.delivery_id is not null then :status_now end as status
from unnest($2::text[]) with ordinality as named (delivery_id, number)
left join deliveries d on d.project_id = $1 and d.delivery_id = named.delivery_id
where (:chosen) is not true
order by named.number;

-- name: groups
-- How many by what became of them; the most frequent first. Of an acceptance only its code is told apart, and a word
-- of digits and letters that is long stands for whatever a provider called this one message.
select channel, destination, state, coalesce(reason, '') as reason,
       case when state in ('sent', 'recovered') then substring(detail from '^(?:HTTP )?[0-9]*')
            else left(regexp_replace(detail, '\m(?=[\w-]*\d)(?=[\w-]*[a-zA-Z])[\w-]{8,}\M', '…', 'g'), 80)
       end as detail,
       count(*) as deliveries, min(created_at) as oldest
from deliveries d
where :chosen and :found_by
group by 1, 2, 3, 4, 5
order by deliveries desc, 1, 2, 3, 4, 5
limit $14;

-- name: standing
-- How many an action can reach, and how many it cannot, by why. An end that has still to be told is not sent again.
select count(*) filter (where :reached) as within,
       count(*) filter (where :reached and possibly_accepted) as possibly_accepted,
       count(*) filter (where state = 'waiting' and lease_until > now()) as under_way,
       count(*) filter (where :over and (expires_at <= now() or reason = 'expired')) as expired,
       count(*) filter (where :over and (erased or record = '')) as erased,
       count(*) as chosen
from deliveries d
where :chosen and :found_by;

-- name: reached
-- The action can be done to it.
(:within and not :in_the_way and (announced or state = 'waiting'))

-- name: over
-- It is over, and in a way that can be sent again.
(d.state = 'failed' or d.state in ('sent', 'recovered') and :reported = 'bounced')

-- name: in_the_way_of_waiting
-- A lease: it is being sent this moment.
(lease_until is not null and lease_until > now())

-- name: in_the_way_of_failed
-- It may not be sent any more, or its content is gone. `expired` is also what may have been sent long ago.
(expires_at is not null and expires_at <= now() or coalesce(reason, '') = 'expired' or erased or record = '')

-- name: next_chosen
-- The next $15 that an action reaches, after the id $14; not those that somebody else is at.
:chosen and :within and not :in_the_way and d.delivery_id > $14
order by delivery_id limit $15
for update skip locked

-- name: hurry_changed
-- The destinations of what was changed are asked at once.
insert into hurried_destinations (project_id, channel, destination, hurried_at)
select distinct project_id, channel, destination, now() from changed
on conflict (project_id, channel, destination) do update set hurried_at = excluded.hurried_at

-- name: against
-- What stands against sending a failed one again, as the database knows it; the first that fits. A duplicate: one of a
-- later time is there, of a distribution that a customer gets once, or once in a while, and not again on purpose.
(case when exists (
     select from deliveries o
     join distribution_versions v on v.project_id = o.project_id and v.distribution_id = o.distribution_id
                                  and v.version = greatest(o.distribution_version, d.distribution_version)
     where o.project_id = d.project_id and o.customer_id = d.customer_id and o.created_at > d.created_at
       and o.event_id <> d.event_id and o.distribution_id = d.distribution_id and o.channel = d.channel
       and o.destination = d.destination
       and v.definition->'again'->>'mode' in ('once_per_customer', 'once_in')
       and (o.state <> 'failed' or coalesce(o.reason, '') not in ('suppressed', 'consent', 'expired', 'canceled')))
 then 'duplicate'
 when exists (select from (select d.project_id, d.channel, d.record, null::uuid[] as address_keys) as d
              cross join lateral (:suppression) as listed)
 then 'suppressed'
 when exists (select from (select d.project_id, d.customer_id, d.record, null::text as category) as d
              cross join lateral (:choice) as chosen_by_customer)
 then 'consent' end)

-- name: resendable
-- The next $15 that could be sent again, after the id $14.
select d.delivery_id, d.customer_id, d.channel, d.record, d.possibly_accepted and d.state = 'failed' as possibly_accepted,
       :against as against
from ended_deliveries d
where :chosen and :found_by and :within and not :in_the_way and d.delivery_id > $14
order by d.delivery_id limit $15;

-- name: resend
-- Failed ones are due again under the same id, with a schedule that begins anew: they are in the queue once more.
with chosen as (
    select delivery_id, announced_at from ended_deliveries d
    where :next_chosen
), taken as (
    delete from ended_deliveries d using chosen
    where d.delivery_id = chosen.delivery_id and d.announced_at = chosen.announced_at
    returning d.*
), changed as (
    insert into open_deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                                 channel, destination, lane, priority, expires_at, record, arrived_at, state, due_at,
                                 attempts, attempts_before, detail, created_at, erased, tries, actions,
                                 possibly_accepted, send_id, counted_on)
    select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
           'retry', priority, expires_at, record, arrived_at, 'waiting', now(), attempts, attempts,
           'sent again by ' || $16::text, created_at, erased, tries,
           actions || (now(), 'resend', $16)::delivery_action, possibly_accepted and state = 'failed', send_id,
           counted_on
    from taken
    returning delivery_id, project_id, channel, destination
), hurried as (
    :hurry_changed
)
select delivery_id from changed;

-- name: cancel
-- Waiting ones end, unless they are being sent this moment; senders tell delivery.status.
with chosen as (
    select delivery_id from open_deliveries d
    where :next_chosen
)
update open_deliveries d
set state = 'failed', reason = 'canceled', detail = 'cancelled by ' || $16::text, settled_at = now(),
    lease_owner = null, lease_until = null, actions = d.actions || (now(), 'cancel', $16)::delivery_action
from chosen where d.delivery_id = chosen.delivery_id
returning d.delivery_id;

-- name: hurry
-- Waiting ones that were put off are due now, and their destinations are asked at once. What was never tried waits for a
-- time that its distribution gave, and goes on waiting.
with chosen as (
    select delivery_id from open_deliveries d
    where :next_chosen
), changed as (
    update open_deliveries d
    set due_at = least(due_at, now()), actions = d.actions || (now(), 'hurry', $16)::delivery_action
    from chosen where d.delivery_id = chosen.delivery_id
    returning d.delivery_id, d.project_id, d.channel, d.destination
), hurried as (
    :hurry_changed
)
select delivery_id from changed;

-- name: actions_of
-- What people did to some deliveries, in order.
select d.delivery_id, a.at, a.action, a.actor
from deliveries d cross join lateral unnest(d.actions) as a
where d.delivery_id = any($1::text[]) order by a.at;

-- name: shown
-- The record of a delivery whose content, and whose customer, is still there.
select record from deliveries d
where project_id = $1 and delivery_id = $2 and not erased and record <> ''
  and not exists (select from erased_customers e
                  where e.project_id = d.project_id and e.customer_id = d.customer_id and e.erased_at >= d.arrived_at);
