-- Deliveries as people choose them. `:chosen` stands for the block `chosen`, which every other one has in its condition.

-- name: chosen
-- A filter: null lets everything through. A reason of '' is none.
d.project_id = $1
and ($2::text[] is null or d.delivery_id = any($2)) and ($3::text is null or d.distribution_id = $3)
and ($4::text is null or d.channel = $4) and ($5::text is null or d.destination = $5)
and ($6::text is null or d.customer_id = $6) and ($7::text is null or d.state = $7)
and ($8::text is null or coalesce(d.reason, '') = $8)
and ($9::text is null or position(lower($9) in lower(d.detail)) > 0)
and ($10::timestamptz is null or d.created_at >= $10) and ($11::timestamptz is null or d.created_at < $11)

-- name: listed
-- The newest, without their records.
select delivery_id, distribution_id, customer_id, channel, destination, state, reason, detail, attempts, due_at,
       created_at, settled_at
from deliveries d
where :chosen
order by created_at desc, delivery_id
limit $12;

-- name: groups
-- How many by what became of them; the most frequent first.
select channel, destination, state, coalesce(reason, '') as reason, left(detail, 80) as detail, count(*) as deliveries,
       min(created_at) as oldest
from deliveries d
where :chosen
group by 1, 2, 3, 4, 5
order by deliveries desc, 1, 2, 3, 4, 5
limit $12;

-- name: standing
-- How many an action can reach, and how many it cannot, by why.
select count(*) filter (where :within and not :in_the_way) as within,
       count(*) filter (where state = 'waiting' and lease_until > now()) as under_way,
       count(*) filter (where state = 'failed' and expires_at <= now()) as expired,
       count(*) filter (where state = 'failed' and (erased or record = '')) as erased,
       count(*) as chosen
from deliveries d
where :chosen;

-- name: in_the_way_of_waiting
-- A lease: it is being sent this moment.
(lease_until is not null and lease_until > now())

-- name: in_the_way_of_failed
-- It may not be sent any more, its content is gone, or its end has still to be told.
(expires_at is not null and expires_at <= now() or erased or record = '' or not announced)

-- name: resend
-- Failed ones are due again under the same id, with a schedule that begins anew; $13 at most, after the id $12.
with chosen as (
    select delivery_id from deliveries d
    where :chosen and :within and not :in_the_way and d.delivery_id > $12
    order by delivery_id limit $13
    for update skip locked
), changed as (
    update deliveries d
    set state = 'waiting', due_at = now(), attempts_before = attempts, reason = null, provider_id = null,
        detail = 'sent again by ' || $14::text, settled_at = null, announced = false,
        lease_owner = null, lease_until = null
    from chosen where d.delivery_id = chosen.delivery_id
    returning d.delivery_id, d.channel, d.destination
), noted as (
    insert into delivery_actions select delivery_id, now(), 'resend', $14 from changed
), hurried as (
    insert into hurried_destinations select distinct channel, destination, now() from changed
    on conflict (channel, destination) do update set hurried_at = excluded.hurried_at
)
select delivery_id from changed;

-- name: cancel
-- Waiting ones end, unless they are being sent this moment; senders tell delivery.status.
with chosen as (
    select delivery_id from deliveries d
    where :chosen and :within and not :in_the_way and d.delivery_id > $12
    order by delivery_id limit $13
    for update skip locked
), changed as (
    update deliveries d
    set state = 'failed', reason = 'ended', detail = 'cancelled by ' || $14::text, settled_at = now(),
        lease_owner = null, lease_until = null
    from chosen where d.delivery_id = chosen.delivery_id
    returning d.delivery_id
), noted as (
    insert into delivery_actions select delivery_id, now(), 'cancel', $14 from changed
)
select delivery_id from changed;

-- name: hurry
-- Waiting ones that were put off are due now, and their destinations are asked at once. What was never tried waits for a
-- time that its distribution gave, and goes on waiting.
with chosen as (
    select delivery_id from deliveries d
    where :chosen and :within and not :in_the_way and d.delivery_id > $12
    order by delivery_id limit $13
    for update skip locked
), changed as (
    update deliveries d
    set due_at = least(due_at, now())
    from chosen where d.delivery_id = chosen.delivery_id
    returning d.delivery_id, d.channel, d.destination
), noted as (
    insert into delivery_actions select delivery_id, now(), 'hurry', $14 from changed
), hurried as (
    insert into hurried_destinations select distinct channel, destination, now() from changed
    on conflict (channel, destination) do update set hurried_at = excluded.hurried_at
)
select delivery_id from changed;

-- name: actions_of
-- What people did to some deliveries, in order.
select delivery_id, at, action, actor from delivery_actions where delivery_id = any($1::text[]) order by at;
