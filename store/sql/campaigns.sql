-- name: current_campaigns
-- The newest version of each campaign of a project.
select id, version, definition from campaigns where project_id = $1 order by id;

-- name: sources
-- The newest version of each campaign of a project as it was written.
select c.id, v.source from campaigns c join campaign_versions v on v.campaign_key = c.key and v.version = c.version
where c.project_id = $1 order by c.id;

-- name: put_campaign
-- A new campaign, or its next version. No row: somebody applied in between.
insert into campaigns (project_id, id, version, definition) values ($1, $2, $3, $4)
on conflict (project_id, id) do update set version = excluded.version, definition = excluded.definition
where campaigns.version = excluded.version - 1
returning key;

-- name: add_version
-- Keeps a version as it was applied.
insert into campaign_versions (campaign_key, version, definition, object, source, applied_by, applied_at)
values ($1, $2, $3, $4, $5, $6, $7);

-- name: definition
-- A campaign as it is defined before it changes.
select definition from campaigns where project_id = $1 and id = $2;
