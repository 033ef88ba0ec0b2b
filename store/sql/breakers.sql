-- name: enter_breakers
-- Rows for destinations that have none; in order, so that two who enter the same do not wait for each other.
insert into breakers (project_id, channel, destination)
select project_id, channel, destination
from unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
order by 1, 2, 3
on conflict do nothing;

-- name: lock_breakers
-- Their states, locked in order, and the clock once they are.
with locked as materialized (
    select b.project_id, b.channel, b.destination, b.state, b.why
    from breakers b
    join unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
        using (project_id, channel, destination)
    order by 1, 2, 3
    for update of b
)
select project_id, channel, destination, state, why, extract(epoch from clock_timestamp())::float8 as now from locked;

-- name: write_breakers
-- Their states after it.
update breakers b
set state = n.state::jsonb, why = n.why
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    as n (project_id, channel, destination, state, why)
where (b.project_id, b.channel, b.destination) = (n.project_id, n.channel, n.destination);

-- name: drop_breakers
-- Those that have nothing left to remember.
delete from breakers b
using unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
where (b.project_id, b.channel, b.destination) = (n.project_id, n.channel, n.destination);

-- name: all_breakers
-- All of them, and the clock. A destination that was paused meanwhile is somebody's to resume: it begins anew then.
with paused as (
    delete from breakers b using paused_destinations p
    where (b.project_id, b.channel, b.destination) = (p.project_id, p.channel, p.destination)
)
select b.project_id, b.channel, b.destination, b.state, b.why, extract(epoch from clock_timestamp())::float8 as now
from breakers b
where not exists (select from paused_destinations p
                  where (b.project_id, b.channel, b.destination) = (p.project_id, p.channel, p.destination));
