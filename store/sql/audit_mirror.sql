-- name: try_lock
-- One process at a time tells the topic, until its transaction ends; another finds it taken and leaves it be.
select pg_try_advisory_xact_lock(hashtextextended('audit_mirror', 0));

-- name: behind
-- The project that was told of longest ago, of those whose chain goes on behind what the topic has. Projects are found
-- by the index of the log, one step each.
with recursive projects as (
    (select project_id from audit_log order by project_id limit 1)
    union all
    select (select l.project_id from audit_log l where l.project_id > p.project_id order by l.project_id limit 1)
    from projects p where p.project_id is not null
)
select p.project_id, coalesce(m.position, 0) as position
from projects p left join audit_mirror m on m.project_id = p.project_id
where exists (
    select from audit_log l where l.project_id = p.project_id and l.position > coalesce(m.position, 0)
)
order by m.moved_at nulls first, p.project_id limit 1;

-- name: move
-- The topic has the rows up to here. No row: somebody else has moved it meanwhile.
insert into audit_mirror (project_id, position) values ($1, $3)
on conflict (project_id) do update set position = excluded.position, moved_at = now()
where audit_mirror.position = $2
returning position;
