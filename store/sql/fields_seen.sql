-- Which kinds of values the fields have that distributions use, in samples of events.

-- name: add_seen
-- More of the sample, of any matcher.
insert into fields_seen (project_id, subject, path, slot, is_hour, kind, events, example)
select project_id, subject, path, slot, false, kind, events, example
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bigint[], $7::text[])
         as c (project_id, subject, path, slot, kind, events, example)
on conflict (project_id, subject, path, slot, is_hour, kind) do update
set events = fields_seen.events + excluded.events, example = excluded.example;

-- name: seen
-- Everything that is known of each field, in the order of time.
select project_id, subject, path, slot, is_hour, kind, events, example from fields_seen
order by project_id, subject, path, slot, is_hour desc, kind;

-- name: paths
-- The fields that events of a project had lately.
select distinct path from fields_seen where project_id = $1 and kind <> '' order by path limit $2;

-- name: live
-- The newest versions that are live and take events.
select definition
from (select distinct on (project_id, distribution_id) definition
      from distribution_versions order by project_id, distribution_id, version desc) as newest
where definition->>'status' = 'LIVE' and definition->'trigger'->>'event' <> 'manual_distribution_schedule'
  and coalesce((definition->>'ends_at')::timestamptz > now(), true);

-- name: make_hours
-- Slots that are older than the newest are counted by the hour.
with old as (
    delete from fields_seen where not is_hour and slot < date_trunc('hour', now() - $1::interval) returning *
)
insert into fields_seen (project_id, subject, path, slot, is_hour, kind, events, example)
select project_id, subject, path, date_trunc('hour', slot), true, kind, sum(events), max(example)
from old group by project_id, subject, path, date_trunc('hour', slot), kind
on conflict (project_id, subject, path, slot, is_hour, kind) do update
set events = fields_seen.events + excluded.events, example = excluded.example;

-- name: forget_seen
-- What is of no use any more.
delete from fields_seen where slot < now() - $1::interval;
