-- What distributions decided by the hour.

-- name: put
-- The whole counts of one run of a matcher, however often it writes them.
insert into decisions_by_hour (project_id, distribution_id, hour, worker, reason, decisions)
select project_id, distribution_id, hour, $1, reason, decisions
from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bigint[])
         as c (project_id, distribution_id, hour, reason, decisions)
on conflict (project_id, distribution_id, hour, worker, reason) do update set decisions = excluded.decisions;

-- name: note_written
-- A run has written all that it had.
insert into decision_counters (worker, written_at) values ($1, now())
on conflict (worker) do update set written_at = excluded.written_at;

-- name: known_until
-- Up to when the counts are known: what came after the last matcher wrote is not. Null: none ever did.
select least(max(written_at), now()) as at from decision_counters;

-- name: watched
-- Distributions that are live and wait for events of their own accord, each with the hours in which it decided anything but
-- that its rule failed, and since when its version stands.
select live.project_id, live.distribution_id, live.applied_at as since, h.hours
from (select distinct on (project_id, distribution_id) project_id, distribution_id, applied_at, definition
      from distribution_versions order by project_id, distribution_id, version desc) as live
join (select project_id, distribution_id, array_agg(distinct hour order by hour) as hours
      from decisions_by_hour where reason <> 'rule_error' group by 1, 2) as h using (project_id, distribution_id)
where definition->>'status' = 'LIVE' and definition->'trigger'->>'event' <> 'manual_distribution_schedule'
  and coalesce((definition->>'ends_at')::timestamptz > $1, true)
order by 1, 2;

-- name: reasons
-- How often each of them decided what, from an hour on and before it.
select project_id, distribution_id, reason,
       coalesce(sum(decisions) filter (where hour >= $1), 0)::bigint as recent,
       coalesce(sum(decisions) filter (where hour < $1), 0)::bigint as before
from decisions_by_hour group by 1, 2, 3;

-- name: forget
-- Hours, and runs of matchers, that are of no use any more.
with runs as (
    delete from decision_counters where written_at < now() - $1::interval
)
delete from decisions_by_hour where hour < now() - $1::interval;
