-- name: chosen
-- What waits and fits: $1 project, $2 distribution, $3 customer, $4 reason.
h.ended_at is null and h.project_id = $1 and ($2::text is null or h.distribution_id = $2)
  and ($3::text is null or h.customer_id = $3) and ($4::text is null or h.reason = $4)

-- name: groups
-- Counted by distribution and reason, the most frequent first. What is due or cancelled by now goes on, and is left alone.
select h.distribution_id, h.reason, count(*) as waiting,
       count(*) filter (where h.until_at <= now() and h.canceled_by is null) as due,
       count(*) filter (where h.canceled_by is not null) as canceled,
       nullif(min(h.until_at), 'infinity') as first_until, nullif(max(h.until_at), 'infinity') as last_until
from holds h where :chosen
group by 1, 2 order by waiting desc, 1, 2 limit $5;

-- name: listed
-- Some of them behind a place ($5 when due, null: infinity; $6 hold, $7 round), those that are due first in front.
select h.hold_id, h.round, h.distribution_id, h.customer_id, h.reason, nullif(h.until_at, 'infinity') as until_at,
       h.held_at, h.canceled_by
from holds h
where :chosen and (h.until_at, h.hold_id, h.round) > (coalesce($5::timestamptz, 'infinity'), $6::text, $7::integer)
order by h.until_at, h.hold_id, h.round limit $8;

-- name: standing
-- How many there are, and how many of them can be cancelled.
select count(*) as chosen, count(*) filter (where h.until_at > now() and h.canceled_by is null) as within,
       count(*) filter (where h.canceled_by is not null) as canceled
from holds h where :chosen;

-- name: cancel
-- The next ones end: they are due at once, with the name of who ended them. Whether it is too late is asked once a row is
-- locked: before its moment no holder can have published it, not even one that died before it noted so.
with locked as materialized (
    select h.project_id, h.hold_id, h.round, h.until_at from holds h
    where :chosen and h.canceled_by is null and (h.hold_id, h.round) > ($5::text, $6::integer)
    order by h.hold_id, h.round limit $7 for update skip locked
), timely as materialized (
    select project_id, hold_id, round from locked where until_at > clock_timestamp()
), done as (
    update holds h set until_at = now(), canceled_by = $8::text, canceled_at = now()
    from timely t where h.project_id = t.project_id and h.hold_id = t.hold_id and h.round = t.round
    returning true
)
select hold_id, round, (select count(*) from done)::integer as canceled
from locked order by hold_id desc, round desc limit 1;
