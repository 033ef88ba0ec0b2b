-- What providers told of deliveries after they took them.

-- name: reported_deliveries
-- Some deliveries of a project, under way or over.
select delivery_id, record, provider_id, attempts, erased, settled_at from deliveries
where project_id = $1 and delivery_id = any($2::text[]);

-- name: record_event
-- Keeps that a delivery has had such an end; nothing where that was known.
insert into status_events (project_id, delivery_id, outcome, recorded_at) values ($1, $2, $3, now())
on conflict do nothing returning recorded_at;
