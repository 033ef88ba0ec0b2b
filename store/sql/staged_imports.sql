-- name: columns
-- An import `i`, as it stands.
i.project_id, i.import_id, i.campaign_id, i.state, i.as_written, i.bytes, i.bytes_read, i.rows, i.rows_read, i.added,
i.in_file, i.in_project, i.alike, i.expired, i.may_lack_zeros, i.first_position, i.problems, i.why, i.cancel_by,
i.created_by, i.created_at, i.started_at, i.ended_at

-- name: add
-- A file of codes for a campaign, whose content follows in the same transaction.
insert into code_imports as i (project_id, import_id, campaign_id, as_written, bytes, created_by)
values ($1, $2, $3, $4, $5, $6) returning :columns;

-- name: add_part
-- The next part of its content.
insert into code_import_parts (project_id, import_id, number, content) values ($1, $2, $3, $4);

-- name: open_of_project
-- How many of a project's imports are not over.
select count(*) from code_imports where project_id = $1 and ended_at is null;

-- name: lock_project
-- Nobody else begins an import in a project until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended('code_imports ' || $1, 0));

-- name: find
-- One import.
select :columns from code_imports i where i.project_id = $1 and i.import_id = $2;

-- name: ids
-- Imports of a project that a person could mean.
select import_id from code_imports where project_id = $1 order by created_at desc limit 50;

-- name: listed
-- The newest imports of a project, behind one.
select :columns from code_imports i
where i.project_id = $1 and ($3::timestamptz is null or (i.created_at, i.import_id) < ($3::timestamptz, $4::text))
order by i.created_at desc, i.import_id desc limit $2;

-- name: ask_to_cancel
-- Somebody wants no more of it: one that nobody works on ends now, any other with its next batch.
update code_imports i
set cancel_by = $3, state = case when :is_idle then 'canceled' else state end,
    ended_at = case when :is_idle then now() end
where i.project_id = $1 and i.import_id = $2 and i.ended_at is null
returning :columns;

-- name: is_idle
-- Whether nobody works on an import `i`.
(i.lease_owner is null or i.lease_until < now())

-- name: claim
-- The oldest import that is not over and that nobody works on.
with next as (
    select i.project_id, i.import_id from code_imports i where i.ended_at is null and :is_idle
    order by i.created_at limit 1 for update skip locked
)
update code_imports i set lease_owner = $1, lease_until = now() + $2::interval, started_at = coalesce(i.started_at, now())
from next where i.project_id = next.project_id and i.import_id = next.import_id
returning :columns;

-- name: part
-- One part of its content.
select content from code_import_parts where project_id = $1 and import_id = $2 and number = $3;

-- name: begin_check
-- It is looked through, from the first row on.
update code_imports set state = 'checking' where project_id = $1 and import_id = $2 and lease_owner = $3;

-- name: beat
-- It is still worked on, and so far looked through. No row: it is not ours any more, or somebody wants its end.
update code_imports set bytes_read = greatest(bytes_read, $4), lease_until = now() + $5::interval
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null and cancel_by is null
returning true;

-- name: checked
-- It has been looked through, and may be added. No row: as above.
update code_imports
set state = 'adding', rows = $4, bytes_read = bytes, alike = $5, expired = $6, may_lack_zeros = $7
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null and cancel_by is null
returning true;

-- name: advance
-- A batch is in, which was read from here on. No row: it is not ours any more, or somebody wants its end, and the batch
-- is not kept.
update code_imports
set rows_read = rows_read + $5, added = added + $6, in_file = in_file + $7, in_project = in_project + $8,
    first_position = $9, lease_until = now() + $10::interval
where project_id = $1 and import_id = $2 and lease_owner = $3 and rows_read = $4 and ended_at is null
  and cancel_by is null
returning true;

-- name: end
-- It is over: its content is of no further use.
with gone as (
    delete from code_import_parts where project_id = $1 and import_id = $2
        and exists (select from code_imports where project_id = $1 and import_id = $2 and lease_owner = $3)
)
update code_imports
set state = case when cancel_by is not null and $4::text <> 'done' then 'canceled' else $4::text end, problems = $5, why = $6,
    ended_at = now(), lease_owner = null, lease_until = null
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null;

-- name: drop_parts
-- The content of one that has ended.
delete from code_import_parts where project_id = $1 and import_id = $2;

-- name: release
-- Somebody else may go on with it.
update code_imports set lease_owner = null, lease_until = null
where project_id = $1 and import_id = $2 and lease_owner = $3;
