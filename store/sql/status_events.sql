-- What providers told of deliveries after they took them.

-- name: reported_deliveries
-- Some deliveries of a project, under way or over.
select delivery_id, record, provider_id, attempts, erased, settled_at, through from deliveries
where project_id = $1 and delivery_id = any($2::text[]);

-- name: deliveries_of_provider
-- The same of those of a channel that their provider knows by ids of its own.
select delivery_id, record, provider_id, attempts, erased, settled_at, through from deliveries
where project_id = $1 and channel = $2 and provider_id = any($3::text[]);

-- name: record_event
-- Keeps that a delivery has had such an end; nothing where that was known, and it was not sent again since, or the same
-- report said so. Of a report whose id is not known ($4 is null) the second holds alone.
insert into status_events as e (project_id, delivery_id, outcome, recorded_at, reports)
values ($1, $2, $3, now(), array_remove(array[md5($4::text)::uuid], null))
on conflict (project_id, delivery_id, outcome) do update
set recorded_at = now(), reports = e.reports || excluded.reports
where e.recorded_at < (select max(a.at) from deliveries d cross join lateral unnest(d.actions) as a
                       where d.delivery_id = e.delivery_id and a.action = 'resend')
  and not e.reports && excluded.reports
returning recorded_at;

-- name: events_of
-- What was told of some deliveries of a project, in order.
select delivery_id, outcome, recorded_at as at from status_events
where project_id = $1 and delivery_id = any($2::text[]) order by recorded_at, outcome;
