-- name: open_notices
-- What is open of a kind, by what it is about, and since when.
select about, opened_at from notices where project_id = $1 and kind = $2 and closed_at is null;

-- name: projects_with
-- The projects that have something open of a kind.
select distinct project_id from notices where kind = $1 and closed_at is null;

-- name: open_notice
-- Opens a notice, where it is not open. `is_told`: its owner was not told of it within $6.
insert into notices as n (project_id, kind, about, number, summary, look_at, opened_at, told_at)
values ($1, $2, $3, 1, $4, $5, now(), now())
on conflict (project_id, kind, about) do update
set number = n.number + 1, summary = excluded.summary, look_at = excluded.look_at, opened_at = now(), closed_at = null,
    told_at = case when n.told_at < now() - $6::interval then now() else n.told_at end
where n.closed_at is not null
returning about, number, summary, look_at, opened_at, told_at = now() as is_told;

-- name: close_notice
-- Closes a notice that has been open for $4. `was_told`: its owner was told of this opening.
update notices set closed_at = now()
where project_id = $1 and kind = $2 and about = $3 and closed_at is null and opened_at <= now() - $4::interval
returning about, number, summary, look_at, opened_at, closed_at, told_at >= opened_at as was_told;

-- name: tell_late
-- Of what came back and was passed over, what has stayed for longer than $3 after its owner was told.
update notices set told_at = now()
where project_id = $1 and kind = $2 and closed_at is null and told_at < opened_at and told_at < now() - $3::interval
returning about, number, summary, look_at, opened_at;

-- name: list_notices
-- Notices of a project, those that are open first, then by time.
select kind, about, summary, look_at, opened_at, closed_at from notices
where project_id = $1 and ($2 or closed_at is null)
order by closed_at is not null, opened_at desc, kind, about;

-- name: add_message
-- A message to an owner, due at once.
insert into notice_messages (notice_id, way, project_id, notice, due_at) values ($1, $2, $3, $4, now())
on conflict do nothing;

-- name: drop_late_messages
-- What could not be told in time, and is over.
delete from notice_messages where notice_id = $1 and attempts > 0;

-- name: take_messages
-- Messages that are due, leased by putting their next attempt off; whoever dies meanwhile leaves them to others.
with due as (
    select notice_id, way from notice_messages where due_at <= now() order by due_at limit $2 for update skip locked
)
update notice_messages m set due_at = now() + $3::interval, lease_owner = $1
from due where m.notice_id = due.notice_id and m.way = due.way
returning m.notice_id, m.way, m.notice, m.attempts;

-- name: end_message
-- A message has arrived, or never will.
delete from notice_messages where notice_id = $1 and way = $2 and lease_owner = $3;

-- name: put_off_message
-- A message is tried again.
update notice_messages set due_at = now() + $4::interval, attempts = attempts + 1, detail = $5, lease_owner = null
where notice_id = $1 and way = $2 and lease_owner = $3;
