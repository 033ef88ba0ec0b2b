-- name: named
-- The ids and names of a project's things of some kinds ($2), each in its newest version; of a distribution its status,
-- too.
with newest as (
    select distinct on (distribution_id) distribution_id, definition
    from distribution_versions where project_id = $1 and 'distribution' = any($2)
    order by distribution_id, version desc
)
select 'distribution' as kind, distribution_id as id, definition ->> 'name' as name, definition ->> 'status' as status
from newest
union all
select 'segment', segment_id, definition ->> 'name', null from segments where project_id = $1 and 'segment' = any($2)
union all
select 'campaign', id, definition ->> 'name', null from campaigns where project_id = $1 and 'campaign' = any($2)
union all
select 'template', name, name, null from named_templates
where project_id = $1 and deleted_at is null and 'template' = any($2)
order by kind, id;
