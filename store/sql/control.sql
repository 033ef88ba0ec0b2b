-- name: current_distributions
-- The newest version of each distribution of a project.
select distinct on (distribution_id) distribution_id, version, definition
from distribution_versions where project_id = $1
order by distribution_id, version desc;

-- name: distributions_after
-- A page of them: the newest version of each, in the order of their ids, behind one of these; those in a state ($4), else
-- those that are not archived, and with a text in their id or name ($5).
select definition from (
    select distinct on (distribution_id) distribution_id, definition
    from distribution_versions where project_id = $1 and distribution_id > $2
    order by distribution_id, version desc
) as newest
where case when $4::text is null then definition ->> 'status' <> 'ARCHIVED' else definition ->> 'status' = $4 end
  and ($5::text is null or strpos(lower(distribution_id), lower($5)) > 0
       or strpos(lower(definition ->> 'name'), lower($5)) > 0)
order by distribution_id limit $3;

-- name: newest
-- The newest version of a distribution.
select definition from distribution_versions
where project_id = $1 and distribution_id = $2 order by version desc limit 1;

-- name: versions_before
-- A page of a distribution's versions, newest first, before one of these.
select version, definition, source, applied_by, applied_at
from distribution_versions where project_id = $1 and distribution_id = $2 and version < $3
order by version desc limit $4;

-- name: before
-- The version of a distribution before another one, which nobody deletes until the transaction ends.
select definition from distribution_versions
where project_id = $1 and distribution_id = $2 and version < $3 order by version desc limit 1 for key share;

-- name: add_version
-- One new version. A version that exists already is a conflict: somebody applied in between.
insert into distribution_versions (distribution_id, version, project_id, definition, source, applied_by, applied_at)
values ($1, $2, $3, $4, $5, $6, $7);

-- name: history
-- All versions of a distribution, newest first.
select version, definition, source, applied_by, applied_at
from distribution_versions where project_id = $1 and distribution_id = $2 order by version desc;

-- name: sources
-- The newest version of each distribution of a project that has a source: steps of a life have none.
select distinct on (distribution_id) distribution_id, definition, source
from distribution_versions where project_id = $1 and source <> ''
order by distribution_id, version desc;

-- name: put_template
-- Keeps a template; the same content is kept once.
insert into templates (digest, name, body, created_at) values ($1, $2, $3, $4) on conflict do nothing;

-- name: get_template
-- A template by content.
select body from templates where digest = $1;

-- name: put_file
-- Keeps what is in a file; the same content is kept once, and as long as if it had come now.
insert into attached_files (digest, data, created_at) values ($1, $2, $3)
on conflict (digest) do update set created_at = excluded.created_at;

-- name: get_file
-- What is in a file.
select data from attached_files where digest = $1;

-- name: hold_template
-- A kept template that a distribution is made from cannot be deleted until that is saved. No row: it is deleted.
select true from named_templates where project_id = $1 and name = $2 and deleted_at is null for share;

-- name: add_to_outbox
-- What Kafka has to be told.
insert into outbox (topic, key, payload, created_at) values ($1, $2, $3, $4);

-- name: take_outbox
-- The oldest entries; one publisher at a time, so that the order of a key is kept.
select id, topic, key, payload from outbox order by id limit $1 for update;

-- name: forget_outbox
-- Kafka has acknowledged these.
delete from outbox where id = any($1::bigint[]);
