-- How many messages projects may send.

-- name: put
-- A project's limits. Fails where the database does not know the zone: else every claim of the project would.
insert into project_limits (project_id, zone, in_all, a_day, a_month)
select $1, $2, $3, $4, $5 where (now() at time zone $2) is not null
on conflict (project_id) do update
set zone = excluded.zone, in_all = excluded.in_all, a_day = excluded.a_day, a_month = excluded.a_month;

-- name: drop
-- A project that has no limit, or none any more; what it has used stays.
delete from project_limits where project_id = $1;

-- name: used
-- The limits of a project, with what is used of each and when all of it is free again.
select span, allowed, used, free_at, now() as at from used_of_limits($1, now());

-- name: used_of_all
-- The same of every project that has limits.
select l.project_id, l.zone, u.span, u.allowed, u.used, u.free_at, (now() at time zone l.zone)::date as day
from project_limits l cross join lateral used_of_limits(l.project_id, now()) as u
order by l.project_id;
