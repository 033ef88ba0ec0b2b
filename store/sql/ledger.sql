-- name: claim_new
-- Takes deliveries into the ledger with a lease; those that are there already are left alone.
-- A delivery that is not due yet gets no lease. Returns the ids that are now ours to send.
with taken as (
    insert into deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                            channel, destination, priority, expires_at, record, arrived_at, due_at,
                            lease_owner, lease_until, state, created_at)
    select r.*,
           case when r.due_at <= $16::timestamptz then $14::text end,
           case when r.due_at <= $16::timestamptz then $15::timestamptz end,
           'waiting', $16::timestamptz
    from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::integer[], $10::timestamptz[], $11::bytea[], $12::timestamptz[], $13::timestamptz[])
             as r (delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id,
                   channel, destination, priority, expires_at, record, arrived_at, due_at)
    on conflict (delivery_id) do nothing
    returning delivery_id, lease_owner
)
select delivery_id from taken where lease_owner is not null;

-- name: claim_due
-- Leases what is due and free, or was leased by a sender that is gone; never waits for another claimer.
-- At most $5 of one destination, so that a dead one cannot fill the hand, and none of those in $6 (`channel name`).
with ranked as (
    select delivery_id, due_at, priority,
           row_number() over (partition by channel, destination order by due_at, delivery_id) as place
    from deliveries
    where state = 'waiting' and due_at <= $3 and (lease_until is null or lease_until < $3)
      and not exists (select 1 from paused_destinations p
                      where p.channel = deliveries.channel and p.destination = deliveries.destination)
      and channel || ' ' || destination <> all($6::text[])
), chosen as (
    select d.delivery_id
    from deliveries d
    join ranked using (delivery_id)
    where ranked.place <= $5
      and d.state = 'waiting' and d.due_at <= $3 and (d.lease_until is null or d.lease_until < $3)
    order by ranked.priority desc, ranked.due_at
    limit $4
    for update of d skip locked
)
update deliveries d
set lease_owner = $1, lease_until = $2
from chosen
where d.delivery_id = chosen.delivery_id
returning d.delivery_id, d.channel, d.destination, d.attempts, d.record, d.arrived_at;

-- name: settle
-- Writes what came of attempts: the attempt itself, and the delivery's new state. Rows that another sender has taken
-- over are left alone. Returns the ids that were settled. A `waiting` one goes back to the queue, due again later.
with result as (
    select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                         $7::timestamptz[], $8::integer[], $9::boolean[])
                      as r (delivery_id, state, due_at, reason, detail, provider_id, at, duration_ms, tried)
), settled as (
    update deliveries d
    set state = case when r.state = 'sent' and d.attempts > 0 then 'recovered' else r.state end,
        due_at = coalesce(r.due_at, d.due_at),
        attempts = d.attempts + r.tried::int,
        reason = r.reason, detail = r.detail, provider_id = r.provider_id,
        lease_owner = null, lease_until = null,
        settled_at = case when r.state = 'waiting' then null else $11::timestamptz end
    from result r
    where d.delivery_id = r.delivery_id and d.lease_owner = $10 and d.state = 'waiting'
    returning d.delivery_id, d.attempts, d.state
), logged as (
    insert into attempts (delivery_id, number, at, duration_ms, outcome, detail)
    select s.delivery_id, s.attempts, r.at, r.duration_ms,
           case when s.state = 'waiting' then 'deferred' else s.state end, r.detail
    from settled s join result r using (delivery_id)
    where r.tried
    on conflict do nothing
)
select delivery_id, attempts, state from settled;

-- name: renew
-- Lengthens the lease of deliveries that are still being sent.
update deliveries set lease_until = $3 where delivery_id = any($1::text[]) and lease_owner = $2 and state = 'waiting';

-- name: unannounced
-- Outcomes that delivery.status has not been told, oldest first; left by a sender that died in between.
select delivery_id, state, reason, detail, provider_id, attempts, settled_at, record
from deliveries
where state <> 'waiting' and not announced and settled_at < $1
order by settled_at
limit $2;

-- name: mark_announced
-- delivery.status has acknowledged these.
update deliveries set announced = true where delivery_id = any($1::text[]);

-- name: counts
-- How many deliveries stand where.
select channel, state, coalesce(reason, '') as reason, count(*) as count
from deliveries group by 1, 2, 3 order by 1, 2, 3;

-- name: deliveries_of_customer
-- A customer's deliveries, newest first.
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       state, reason, detail, provider_id, attempts, due_at, created_at, settled_at
from deliveries where customer_id = $1 order by created_at desc limit $2;

-- name: one_delivery
-- One delivery.
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       state, reason, detail, provider_id, attempts, due_at, created_at, settled_at
from deliveries where delivery_id = $1;

-- name: attempts_of
-- The attempts of some deliveries, in order.
select delivery_id, number, at, duration_ms, outcome, detail
from attempts where delivery_id = any($1::text[]) order by delivery_id, number;

-- name: pause_destination
-- Stops sending to a destination.
insert into paused_destinations (channel, destination, reason, paused_at) values ($1, $2, $3, $4) on conflict do nothing;

-- name: resume_destination
-- Starts sending again; what waited is due at once.
delete from paused_destinations where channel = $1 and destination = $2;

-- name: paused_destinations
-- What is paused and why.
select channel, destination, reason, paused_at from paused_destinations order by 1, 2;

-- name: free_leases_of
-- Gives back what an earlier process of the same name held when it ended.
update deliveries set lease_owner = null, lease_until = null
where lease_owner = $1 and state = 'waiting'
returning delivery_id;
