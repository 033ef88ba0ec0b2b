-- name: current_templates
-- The newest version of each template of a project that is not deleted.
select name, v.definition from named_templates n join named_template_versions v using (project_id, name, version)
where project_id = $1 and deleted_at is null order by name;

-- name: last_versions
-- How far each name has counted, deleted ones among them.
select name, version from named_templates where project_id = $1;

-- name: get_version
-- One version of a template; with null the newest, where it is not deleted.
select v.definition, v.applied_by, v.applied_at
from named_templates n join named_template_versions v using (project_id, name)
where project_id = $1 and name = $2
  and v.version = coalesce($3::bigint, case when deleted_at is null then n.version end);

-- name: versions
-- Every version of a template, newest first.
select version, applied_by, applied_at from named_template_versions
where project_id = $1 and name = $2 order by version desc;

-- name: put_template
-- A new name, or its next version. No row: somebody applied in between.
insert into named_templates (project_id, name, version) values ($1, $2, $3)
on conflict (project_id, name) do update set version = excluded.version, deleted_at = null
where named_templates.version = excluded.version - 1
returning true;

-- name: add_version
-- Keeps a version as it was applied.
insert into named_template_versions (project_id, name, version, definition, applied_by, applied_at)
values ($1, $2, $3, $4, $5, $6);

-- name: uses
-- The e-mails of live and paused distributions that were made from a kept template: of one name, or with null of all.
with newest as (
    select distinct on (distribution_id) distribution_id, definition from distribution_versions
    where project_id = $1 order by distribution_id, version desc
)
select distinct distribution_id, t.name, (t.body->>'version')::bigint as version
from newest
cross join lateral jsonb_array_elements(definition->'channels') as plan
join templates t on t.digest = plan->'template'->>'digest'
where definition->>'status' in ('LIVE', 'PAUSED') and t.body->>'version' is not null
  and ($2::text is null or t.name = $2)
order by t.name, distribution_id;

-- name: sent_by
-- Every distribution version whose e-mails were made from a stored template, by the template's version.
select distribution_id, (t.body->>'version')::bigint as version, array_agg(distinct d.version order by d.version) as versions
from distribution_versions d
cross join lateral jsonb_array_elements(definition->'channels') as plan
join templates t on t.digest = plan->'template'->>'digest'
where d.project_id = $1 and t.name = $2 and t.body->>'version' is not null
group by distribution_id, t.body->>'version' order by distribution_id;

-- name: lock_template
-- The row of a name that is not deleted: distributions that name it are saved before or after, not meanwhile.
select version from named_templates where project_id = $1 and name = $2 and deleted_at is null for update;

-- name: delete_template
-- Forgets a name. Its versions stay: what was sent can be shown.
update named_templates set deleted_at = $3 where project_id = $1 and name = $2;
