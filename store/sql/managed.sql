-- name: of_project
-- Everything of a project that is managed from Git.
select kind, thing, source, revision, content_hash, version, applied_by, applied_at
from managed where project_id = $1 order by kind, thing;

-- name: hold
-- Those of some things that are managed; they stay so until the transaction ends.
select kind, thing, source, revision from managed m
join unnest($2::text[], $3::text[]) as asked (asked_kind, asked_thing) on kind = asked_kind and thing = asked_thing
where project_id = $1 order by kind, thing for share of m;

-- name: mark
-- What was applied from Git, in place of what was applied before. No row: it is the same.
insert into managed (project_id, kind, thing, source, revision, content_hash, version, applied_by, applied_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (project_id, kind, thing) do update set
    source = excluded.source, revision = excluded.revision, content_hash = excluded.content_hash,
    version = excluded.version, applied_by = excluded.applied_by, applied_at = excluded.applied_at
where (managed.source, managed.content_hash, managed.version)
    is distinct from (excluded.source, excluded.content_hash, excluded.version)
returning true;

-- name: release
-- No longer managed. No row: it was not.
delete from managed where project_id = $1 and kind = $2 and thing = $3 returning source, version;

-- name: follow
-- New versions of distributions that say the same as the folder did: where the one before was marked, they are.
update managed m set version = made.version from unnest($1::text[], $2::text[], $3::bigint[]) as made (project, thing, version)
where m.project_id = made.project and m.kind = 'distribution' and m.thing = made.thing and m.version = made.version - 1;
