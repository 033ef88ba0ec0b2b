-- name: hold
-- Keeps requests; one that is held already stays as it is.
insert into held_requests (publication_id, project_id, campaign_id, partition, request, arrived_at, send_id, held_at, tried_at)
select r.publication_id, r.project_id, r.campaign_id, r.partition, r.request, r.arrived_at, r.send_id, now(), now()
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bytea[], $6::timestamptz[], $7::text[])
     as r (publication_id, project_id, campaign_id, partition, request, arrived_at, send_id)
on conflict do nothing;

-- name: take
-- Those not tried for a while, the longest untried first; never waits for another publisher.
select publication_id, partition, request, coalesce(arrived_at, held_at) as arrived_at from held_requests
where tried_at < now() - $1::interval order by tried_at, held_at limit $2 for update skip locked;

-- name: standings
-- Whether customers were erased after the events of some requests, how their distributions stand (of deleted ones there is
-- nothing), the manual sends that asked, and the events for which they went out without a code; in the order of requests.
select exists (select from erased_customers e
               where e.project_id = asked.project_id and e.customer_id = asked.customer_id
                 and e.erased_at >= asked.arrived_at) as is_erased,
       d.status, d.ends_at, s.status as send, w.event_id as went_without
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) with ordinality
     as asked (project_id, customer_id, arrived_at, distribution_id, send_id, publication_id, place)
left join lateral (
    select v.definition ->> 'status' as status, (v.definition ->> 'ends_at')::timestamptz as ends_at
    from distribution_versions v
    where v.project_id = asked.project_id and v.distribution_id = asked.distribution_id
    order by v.version desc limit 1) as d on true
left join sends s on s.project_id = asked.project_id and s.send_id = asked.send_id
left join sent_without_code w on w.publication_id = asked.publication_id
order by asked.place;

-- name: note_without
-- These go out without a code; of several that ask for the same send, the first.
insert into sent_without_code (publication_id, project_id, event_id, sent_at)
select distinct on (asked.publication_id) asked.publication_id, asked.project_id, asked.event_id, now()
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as asked (publication_id, project_id, event_id, place)
order by asked.publication_id, asked.place
on conflict do nothing;

-- name: went_without
-- The events for which these went out without a code.
select publication_id, event_id from sent_without_code where publication_id = any($1::text[]);

-- name: still_held
-- These found no code again.
update held_requests set tried_at = now() where publication_id = any($1::text[]);

-- name: release
-- These are settled.
delete from held_requests where publication_id = any($1::text[]);

-- name: count_held
-- How many wait.
select count(*) from held_requests;
