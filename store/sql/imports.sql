-- name: columns
-- An import `i`, as it stands.
i.project_id, i.import_id, i.kind, i.campaign_id, i.form, i.state, i.as_written, i.skip_wrong, i.bytes, i.bytes_read, i.rows, i.rows_read,
i.added, i.in_file, i.in_project, i.wrong, i.erased, i.alike, i.expired, i.may_lack_zeros, i.first_position, i.problems, i.why, i.cancel_by,
i.created_by, i.created_at, i.started_at, i.ended_at

-- name: add
-- A file of customers, or of codes for a campaign, whose content follows in the same transaction.
insert into imports as i (project_id, import_id, kind, campaign_id, form, as_written, skip_wrong, bytes, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning :columns;

-- name: add_part
-- The next part of its content.
insert into import_parts (project_id, import_id, number, content) values ($1, $2, $3, $4);

-- name: open_of_project
-- How many of a project's imports are not over.
select count(*) from imports where project_id = $1 and ended_at is null;

-- name: lock_project
-- Nobody else begins an import in a project until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended('imports ' || $1, 0));

-- name: find
-- One import.
select :columns from imports i where i.project_id = $1 and i.import_id = $2;

-- name: ids
-- Imports of a project that a person could mean.
select import_id from imports where project_id = $1 order by created_at desc limit 50;

-- name: listed
-- The newest imports of a project, or those of one kind, or for one campaign, behind one.
select :columns from imports i
where i.project_id = $1 and ($3::timestamptz is null or (i.created_at, i.import_id) < ($3::timestamptz, $4::text))
  and ($5::text is null or i.kind = $5) and ($6::text is null or i.campaign_id = $6)
order by i.created_at desc, i.import_id desc limit $2;

-- name: ask_to_cancel
-- Somebody wants no more of it: one that nobody works on ends now, any other with its next batch.
update imports i
set cancel_by = $3, state = case when :is_idle then 'canceled' else state end,
    ended_at = case when :is_idle then now() end
where i.project_id = $1 and i.import_id = $2 and i.ended_at is null
returning :columns;

-- name: is_idle
-- Whether nobody works on an import `i`.
(i.lease_owner is null or i.lease_until < now())

-- name: claim
-- The oldest import that is not over and that nobody works on; or the oldest of a kind and a project, up to one.
with next as (
    select i.project_id, i.import_id from imports i where i.ended_at is null and :is_idle
        and ($3::text is null or (i.project_id = $3 and i.kind = $4::text and i.created_at <= $5::timestamptz))
    order by i.created_at limit 1 for update skip locked
)
update imports i set lease_owner = $1, lease_until = now() + $2::interval, started_at = coalesce(i.started_at, now())
from next where i.project_id = next.project_id and i.import_id = next.import_id
returning :columns;

-- name: part
-- One part of its content.
select content from import_parts where project_id = $1 and import_id = $2 and number = $3;

-- name: begin_check
-- It is looked through, from the first row on.
update imports set state = 'checking' where project_id = $1 and import_id = $2 and lease_owner = $3;

-- name: beat
-- It is still worked on, and so far looked through. No row: it is not ours any more, or somebody wants its end.
update imports set bytes_read = greatest(bytes_read, $4), lease_until = now() + $5::interval
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null and cancel_by is null
returning true;

-- name: checked
-- It has been looked through, and may be added. No row: as above.
update imports
set state = 'adding', rows = $4, bytes_read = bytes, wrong = $5, problems = $6, alike = $7, expired = $8,
    may_lack_zeros = $9
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null and cancel_by is null
returning true;

-- name: advance
-- A batch is in, which was read from here on. No row: it is not ours any more, or somebody wants its end, and the batch
-- is not kept.
update imports
set rows_read = rows_read + $5, added = added + $6, in_file = in_file + $7, in_project = in_project + $8,
    erased = erased + $9, first_position = $10, lease_until = now() + $11::interval
where project_id = $1 and import_id = $2 and lease_owner = $3 and rows_read = $4 and ended_at is null
  and cancel_by is null
returning true;

-- name: end
-- It is over: its content is of no further use.
with gone as (
    delete from import_parts where project_id = $1 and import_id = $2
        and exists (select from imports where project_id = $1 and import_id = $2 and lease_owner = $3)
)
update imports
set state = case when cancel_by is not null and $4::text <> 'done' then 'canceled' else $4::text end,
    problems = coalesce($5, problems), wrong = coalesce($6, wrong), why = $7,
    ended_at = now(), lease_owner = null, lease_until = null
where project_id = $1 and import_id = $2 and lease_owner = $3 and ended_at is null;

-- name: drop_parts
-- The content of one that has ended.
delete from import_parts where project_id = $1 and import_id = $2;

-- name: release
-- Somebody else may go on with it.
update imports set lease_owner = null, lease_until = null
where project_id = $1 and import_id = $2 and lease_owner = $3;

-- name: lock_customers
-- Who is erased meanwhile waits for the batch, so that the tombstone stands behind it.
select pg_advisory_xact_lock_shared(hashtextextended('imported_customers ' || $1, 0));

-- name: erased_since
-- Of some customers, those who were erased since then: by a row of the audit log before a sender has read the tombstone.
select id from unnest($2::text[]) as asked (id)
where exists (select from erased_customers e
              where e.project_id = $1 and e.customer_id = asked.id and e.erased_at >= $3)
   or exists (select from audit_log a
              where a.project_id = $1 and a.thing = asked.id and a.action = 'customer.erased' and a.at >= $3);
