-- name: enter
-- Rows for destinations that have none; in order, so that two who enter the same do not wait for each other.
insert into shared_destinations (project_id, channel, destination)
select project_id, channel, destination
from unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
order by 1, 2, 3
on conflict do nothing;

-- name: lock
-- Their states, locked in order, and the clock once they are.
with locked as materialized (
    select s.project_id, s.channel, s.destination, s.state
    from shared_destinations s
    join unnest($1::text[], $2::text[], $3::text[]) as n (project_id, channel, destination)
        using (project_id, channel, destination)
    order by 1, 2, 3
    for update of s
)
select project_id, channel, destination, state, extract(epoch from clock_timestamp())::float8 as now from locked;

-- name: write
-- Their states after it.
update shared_destinations s
set state = n.state, closed_until = to_timestamp(n.closed_until), asked_at = now()
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[])
    as n (project_id, channel, destination, state, closed_until)
where (s.project_id, s.channel, s.destination) = (n.project_id, n.channel, n.destination);

-- name: closed
-- All that want not to be asked for a while, and for how many seconds more.
select project_id, channel, destination, extract(epoch from closed_until - clock_timestamp())::float8 as seconds
from shared_destinations where closed_until > clock_timestamp();

-- name: forget
-- Rows that nobody has asked for in so long that no limit remembers it.
delete from shared_destinations where asked_at < now() - interval '2 days';

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
select count(*)::int as others, (count(*) filter (where owner < $1))::int as before
from senders where owner <> $1 and seen_at > clock_timestamp() - interval '5 seconds';

-- name: leave
-- This sender stops.
delete from senders where owner = $1;
