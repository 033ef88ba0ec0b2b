-- name: enter
-- Rows for destinations that have none; in order, so that two who enter the same do not wait for each other.
with limits as (
    insert into shared_destinations (project_id, channel, destination)
    select project_id, channel, destination
    from unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
    order by 1, 2, 3
    on conflict do nothing
)
insert into breakers (project_id, channel, destination)
select project_id, channel, destination
from unnest($4::text[], $5::text[], $6::text[]) as n (project_id, channel, destination)
order by 1, 2, 3
on conflict do nothing;

-- name: lock
-- Their states, locked in order, those of limits first; and the clock once each is.
with limits as materialized (
    select s.project_id, s.channel, s.destination, s.state
    from shared_destinations s
    join unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
        using (project_id, channel, destination)
    order by 1, 2, 3
    for update of s
), failing as materialized (
    select b.project_id, b.channel, b.destination, b.state, b.why
    from breakers b
    join unnest($4::text[], $5::text[], $6::text[]) as n (project_id, channel, destination)
        using (project_id, channel, destination)
    order by 1, 2, 3
    for update of b
)
select false as is_breaker, project_id, channel, destination, state, '' as why,
       extract(epoch from clock_timestamp())::float8 as now
from limits
union all
select true, project_id, channel, destination, state::text, why, extract(epoch from clock_timestamp())::float8
from failing;

-- name: write
-- Their states after it.
with limits as (
    update shared_destinations s
    set state = n.state, closed_until = to_timestamp(n.closed_until), asked_at = now()
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[])
        as n (project_id, channel, destination, state, closed_until)
    where (s.project_id, s.channel, s.destination) = (n.project_id, n.channel, n.destination)
)
update breakers b
set state = n.state::jsonb, why = n.why
from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
    as n (project_id, channel, destination, state, why)
where (b.project_id, b.channel, b.destination) = (n.project_id, n.channel, n.destination);

-- name: drop_breakers
-- Those that have nothing left to remember.
delete from breakers b
using unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
where (b.project_id, b.channel, b.destination) = (n.project_id, n.channel, n.destination);

-- name: seen
-- This sender is at work; of the others, how many are, and how many of them come before it. An exchange a second may be
-- late by four. Those long gone are removed.
with gone as (
    delete from senders where owner in (
        select owner from senders
        where owner <> $1
          and seen_at not between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute'
        for update skip locked)
), entered as (
    insert into senders (owner, seen_at) values ($1, clock_timestamp())
    on conflict (owner) do update set seen_at = excluded.seen_at
)
select count(*)::int as others, (count(*) filter (where owner < $1))::int as before,
       extract(epoch from clock_timestamp())::float8 as now
from senders where owner <> $1 and seen_at > clock_timestamp() - interval '5 seconds';

-- name: closed
-- All that want not to be asked for a while, and for how many seconds more.
select project_id, channel, destination, extract(epoch from closed_until - clock_timestamp())::float8 as seconds
from shared_destinations where closed_until > clock_timestamp();

-- name: all_breakers
-- All of them, and the clock. A destination that was paused meanwhile is somebody's to resume: it begins anew then.
with paused as (
    delete from breakers where (project_id, channel, destination) in (
        select b.project_id, b.channel, b.destination
        from breakers b join paused_destinations p using (project_id, channel, destination)
        for update of b skip locked)
)
select b.project_id, b.channel, b.destination, b.state, b.why, extract(epoch from clock_timestamp())::float8 as now
from breakers b
where not exists (select from paused_destinations p
                  where (b.project_id, b.channel, b.destination) = (p.project_id, p.channel, p.destination));

-- name: forget
-- Rows that nobody has asked for in so long that no limit remembers it.
delete from shared_destinations where asked_at < now() - interval '2 days';

-- name: leave
-- This sender stops.
delete from senders where owner = $1;
