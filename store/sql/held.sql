-- name: hold
-- Keeps requests; one that is held already stays as it is.
insert into held_requests (publication_id, project_id, campaign_id, partition, request, arrived_at, held_at, tried_at)
select r.publication_id, r.project_id, r.campaign_id, r.partition, r.request, r.arrived_at, now(), now()
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bytea[], $6::timestamptz[])
     as r (publication_id, project_id, campaign_id, partition, request, arrived_at)
on conflict do nothing;

-- name: take
-- Those not tried for a while, the longest untried first; never waits for another publisher.
select publication_id, partition, request, coalesce(arrived_at, held_at) as arrived_at from held_requests
where tried_at < now() - $1::interval order by tried_at, held_at limit $2 for update skip locked;

-- name: standings
-- Whether customers were erased after the events of some requests, how their distributions stand (of deleted ones there is
-- nothing), and the manual sends that asked; in the order of the requests.
select exists (select from erased_customers e
               where e.project_id = asked.project_id and e.customer_id = asked.customer_id
                 and e.erased_at >= asked.arrived_at) as is_erased,
       d.status, d.ends_at, s.status as send
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) with ordinality
     as asked (project_id, customer_id, arrived_at, distribution_id, send_id, place)
left join lateral (
    select v.definition ->> 'status' as status, (v.definition ->> 'ends_at')::timestamptz as ends_at
    from distribution_versions v
    where v.project_id = asked.project_id and v.distribution_id = asked.distribution_id
    order by v.version desc limit 1) as d on true
left join sends s on s.project_id = asked.project_id and s.send_id = asked.send_id
order by asked.place;

-- name: still_held
-- These found no code again.
update held_requests set tried_at = now() where publication_id = any($1::text[]);

-- name: release
-- These are settled.
delete from held_requests where publication_id = any($1::text[]);

-- name: count_held
-- How many wait.
select count(*) from held_requests;
