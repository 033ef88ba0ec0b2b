-- name: waiting
-- Whatever of a distribution is still to go out: holds, deliveries, and one of its sends that is not over.
select (select count(*) from holds h
        where h.project_id = $1 and h.distribution_id = $2 and h.ended_at is null) as holds,
       (select count(*) from open_deliveries d
        where d.project_id = $1 and d.distribution_id = $2 and d.state = 'waiting') as deliveries,
       (select min(s.send_id) from sends s
        where s.project_id = $1 and s.distribution_id = $2 and s.status not in ('DONE', 'STOPPED')) as send_id;

-- name: before_archive
-- The newest version of a distribution that is not archived.
select definition from distribution_versions
where project_id = $1 and distribution_id = $2 and definition ->> 'status' <> 'ARCHIVED'
order by version desc limit 1;

-- name: has_done
-- Whether a distribution was ever more than a draft, or anything is known of what it did.
select exists (select from distribution_versions v
               where v.project_id = $1 and v.distribution_id = $2
                 and v.definition ->> 'status' not in ('DRAFT', 'STOPPED', 'ARCHIVED'))
    or exists (select from sends s where s.project_id = $1 and s.distribution_id = $2)
    or exists (select from recorded_decisions_by_minute r where r.project_id = $1 and r.distribution_id = $2)
    or exists (select from recorded_statuses_by_minute r where r.project_id = $1 and r.distribution_id = $2);

-- name: hold
-- The versions of a distribution: nobody makes another one until the transaction ends.
select version from distribution_versions where project_id = $1 and distribution_id = $2 order by version for update;

-- name: keep_deleted
-- All versions of a distribution, in place of what was deleted of that id before. $4 those that were held.
insert into deleted_distributions (project_id, distribution_id, version, definition, versions, deleted_by)
select $1, $2, max(v.version), (array_agg(v.definition order by v.version desc))[1],
       jsonb_agg(to_jsonb(v) order by v.version), $3
from distribution_versions v where v.project_id = $1 and v.distribution_id = $2
having count(*) = $4
on conflict (project_id, distribution_id) do update
set version = excluded.version, definition = excluded.definition, versions = excluded.versions,
    deleted_by = excluded.deleted_by, deleted_at = now()
returning version;

-- name: delete_versions
-- They are gone.
delete from distribution_versions where project_id = $1 and distribution_id = $2;

-- name: deleted
-- A distribution that was deleted, and when.
select definition, deleted_at from deleted_distributions where project_id = $1 and distribution_id = $2;

-- name: take_deleted
-- What was deleted is no longer.
delete from deleted_distributions where project_id = $1 and distribution_id = $2 returning definition, versions;

-- name: put_back
-- The versions as they were.
insert into distribution_versions
select * from jsonb_populate_recordset(null::distribution_versions, $1::jsonb);
