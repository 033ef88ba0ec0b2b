-- name: columns
-- A rebuild `r`, as it stands.
r.rebuild_id, r.state, r.tries, r.read, r.to_read, r.unreadable, r.replaced, r.kept, r.waits, r.why, r.cancel_by, r.created_by,
r.created_at, r.started_at, r.ended_at

-- name: add
-- Somebody asks for one. No row: one is not over yet.
insert into read_model_rebuilds as r (rebuild_id, created_by) values ($1, $2)
on conflict ((ended_at is null)) where ended_at is null do nothing
returning :columns;

-- name: find
-- One of them.
select :columns from read_model_rebuilds r where r.rebuild_id = $1;

-- name: open
-- The one that is not over.
select :columns from read_model_rebuilds r where r.ended_at is null;

-- name: ids
-- Those that a person could mean.
select rebuild_id from read_model_rebuilds order by created_at desc limit 50;

-- name: listed
-- The newest, behind one.
select :columns from read_model_rebuilds r
where $2::timestamptz is null or (r.created_at, r.rebuild_id) < ($2::timestamptz, $3::text)
order by r.created_at desc, r.rebuild_id desc limit $1;

-- name: ask_to_cancel
-- Somebody wants its end: one that nobody works on ends now.
update read_model_rebuilds r
set cancel_by = $2, state = case when :is_idle then 'canceled' else state end,
    ended_at = case when :is_idle then now() end
where r.rebuild_id = $1 and r.ended_at is null
returning :columns;

-- name: is_idle
-- Whether nobody works on a rebuild `r`.
(r.lease_owner is null or r.lease_until < now())

-- name: claim
-- The one that is not over, where nobody works on it: from nothing.
update read_model_rebuilds r
set lease_owner = $1, lease_until = now() + $2::interval, started_at = coalesce(r.started_at, now()), state = 'reading',
    tries = tries + 1, read = 0, to_read = 0, unreadable = 0, replaced = '[]', kept = '[]', waits = ''
where r.ended_at is null and :is_idle
returning :columns;

-- name: beat
-- It is still worked on, and so far. No row: it is not ours any more, or somebody wants its end.
update read_model_rebuilds
set state = $3, read = $4, to_read = $5, unreadable = $6, replaced = $7, kept = $8, waits = $9,
    lease_until = now() + $10::interval
where rebuild_id = $1 and lease_owner = $2 and ended_at is null and cancel_by is null
returning true;

-- name: end
-- It is over.
update read_model_rebuilds
set state = case when cancel_by is not null and $3::text <> 'done' then 'canceled' else $3::text end,
    read = $4, to_read = $5, unreadable = $6, replaced = $7, kept = $8, waits = '', why = $9,
    ended_at = now(), lease_owner = null, lease_until = null
where rebuild_id = $1 and lease_owner = $2 and ended_at is null;

-- name: release
-- Somebody else may make it, from nothing.
update read_model_rebuilds set lease_owner = null, lease_until = null, state = 'waiting'
where rebuild_id = $1 and lease_owner = $2;
