-- name: columns
-- A decision as its record has it.
d.decision_id, d.project_id, d.distribution_id, d.distribution_version, d.distribution_name, d.event_id, d.event_type,
       d.event_at, d.send_id, d.customer_id, d.outcome, d.reason, d.detail, d.arm, d.channel, d.delivery_id, d.until_at,
       d.due_at, d.checks, d.decided_at

-- name: of_stretch
-- Decisions about events of a stretch of time, those before a place, the newest first. A day is that of its event, or a
-- later one on which it was released: so days before the stretch are not looked at. Texts are ordered as everywhere else.
d.event_at >= $2 and ($3::timestamptz is null or d.event_at < $3) and d.day >= $4
  and ($5::timestamptz is null
       or (d.event_at <= $5
           and (d.event_at, d.event_id collate "C", d.decision_id collate "C") < ($5, $6::text, $7::text)))
  and ($9::text is null or d.customer_id = $9)
  and ($10::text is null or d.distribution_id = $10)
  and ($11::text is null or d.event_id = $11)
  and ($12::text is null or d.delivery_id = $12)
  and ($14::text is null or d.reason = $14)
:newest_first
limit $8

-- name: newest_first
-- The order of pages.
order by d.event_at desc, d.event_id collate "C" desc, d.decision_id collate "C" desc

-- name: decisions_of_customer
-- Found by their customer.
select :columns from recorded_decisions d where d.project_id = $1 and d.customer_id = $9 and d.outcome = any($13::text[])
  and :of_stretch;

-- name: decisions_of_event
-- Found by their event.
select :columns from recorded_decisions d where d.project_id = $1 and d.event_id = $11 and d.outcome = any($13::text[])
  and :of_stretch;

-- name: decisions_of_distribution
-- Found by their distribution, each outcome ($13 names them) for itself: of one that is rare the others are not read.
select :columns
from unnest($13::text[]) as asked (outcome)
cross join lateral (
    select d.* from recorded_decisions d
    where d.project_id = $1 and d.distribution_id = $10 and d.outcome = asked.outcome and :of_stretch
) as d
:newest_first
limit $8;

-- name: ends_of
-- Ends of some deliveries, and reports of them, in order; $3 is a day before which none of them has a row.
select delivery_id, outcome, occurred_at as at, reason, detail, attempts
from recorded_statuses
where project_id = $1 and delivery_id = any($2::text[]) and day >= $3
order by occurred_at, outcome;

-- name: of_delivery
-- The customer and the event of a delivery that has come to an end.
select customer_id, event_id, event_at from recorded_statuses
where project_id = $1 and delivery_id = $2
order by day limit 1;

-- name: of_code
-- The customer who has a code, and the event by which.
select p.customer_id, p.event_id, p.distribution_id
from codes c join publications p using (campaign_key, position)
where c.project_id = $1 and c.code = $2;

-- name: oldest_day
-- The first day that is kept.
select ((now() - $1::interval) at time zone 'UTC')::date;

-- name: erased
-- Of some customers, those who were erased, and when.
select customer_id, erased_at from erased_customers where project_id = $1 and customer_id = any($2::text[]);
