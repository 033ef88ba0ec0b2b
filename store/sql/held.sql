-- name: hold
-- Keeps requests; one that is held already stays as it is.
insert into held_requests (publication_id, project_id, campaign_id, partition, request, held_at, tried_at)
select r.publication_id, r.project_id, r.campaign_id, $4, r.request, now(), now()
from unnest($1::text[], $2::text[], $3::text[], $5::bytea[]) as r (publication_id, project_id, campaign_id, request)
on conflict do nothing;

-- name: take
-- Those not tried for a while, the longest untried first; never waits for another publisher.
select publication_id, partition, request from held_requests
where tried_at < now() - $1::interval order by tried_at, held_at limit $2 for update skip locked;

-- name: still_held
-- These found no code again.
update held_requests set tried_at = now() where publication_id = any($1::text[]);

-- name: release
-- These are settled.
delete from held_requests where publication_id = any($1::text[]);

-- name: count_held
-- How many wait.
select count(*) from held_requests;
