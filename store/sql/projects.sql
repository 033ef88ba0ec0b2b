-- name: current_projects
-- Every project that has a document, by id.
select project_id, version, document, source, applied_by, applied_at from projects order by project_id;

-- name: project
-- One project's document; no row where it has none.
select document, source, applied_by, applied_at from projects where project_id = $1;

-- name: notices_of
-- Whoever is told of a project's notices, where its document says it.
select document -> 'notices' from projects
where project_id = $1 and jsonb_typeof(document -> 'notices') = 'object';

-- name: put_project
-- A new document, or the next version of one. No row: somebody applied in between.
insert into projects as p (project_id, version, document, source, applied_by, applied_at, reached)
values ($1, $2, $3::jsonb, $4, $5, $6, $7::text[]::uuid[])
on conflict (project_id) do update set
    version = excluded.version, document = excluded.document, source = excluded.source,
    applied_by = excluded.applied_by, applied_at = excluded.applied_at,
    reached = excluded.reached
where p.version = excluded.version - 1
returning project_id;
