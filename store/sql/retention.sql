-- name: begin_chore
-- Whether it is time for a chore, and nobody else has begun it since.
insert into chores (name, began_at) values ($1, now())
on conflict (name) do update set began_at = excluded.began_at where chores.began_at < now() - $2::interval
returning true;

-- name: make_days
-- The days in which deliveries will end: today's, and a week's, should no sender be there to make them.
select make_days(today, today + 7) from (select (now() at time zone 'UTC')::date as today) as clock;

-- name: old_days
-- Days whose deliveries were over long ago, oldest first.
select day from (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'ended_deliveries'::regclass and c.relname ~ '^ended_deliveries_[0-9]{8}$') as days
where day < ((now() - $1::interval) at time zone 'UTC')::date
order by day;

-- name: drop_day
-- A day with all that is in it. It stays where somebody reads for long: nobody is to wait behind us.
select drop_day($1::date) as is_dropped;

-- name: forget_ids
-- Ids that no event can make again which would still be sent; two days behind, so that they outlive the content.
with past as (
    select delivery_key from claims
    where last_day < ((select at from oldest_event) at time zone 'UTC')::date - 2
    order by last_day limit $1
    for update skip locked
)
delete from claims c using past where c.delivery_key = past.delivery_key returning true;

-- name: forget_consents
-- What customers said so long ago that no delivery of before is on its way.
with past as (
    select project_id, customer_id from consents where changed_at < now() - $1::interval order by changed_at limit $2
    for update skip locked
)
delete from consents c using past
where c.project_id = past.project_id and c.customer_id = past.customer_id
returning true;

-- name: forget_calls
-- The log of endpoints of long ago, and what came into it of an erased customer at the moment of the erasure.
with past as (
    select c.project_id, c.endpoint, c.accepted, c.id from endpoint_calls c
    where c.at < now() - $1::interval
       or exists (select from erased_customers e where e.project_id = c.project_id and e.customer_id = c.customer_id
                                                   and c.arrived_at <= e.erased_at)
    limit $2
    for update skip locked
)
delete from endpoint_calls c using past
where (c.project_id, c.endpoint, c.accepted, c.id) = (past.project_id, past.endpoint, past.accepted, past.id)
returning true;

-- name: forget_deleted
-- Distributions that were deleted so long ago that nobody brings them back.
delete from deleted_distributions where deleted_at < now() - $1::interval returning true;

-- name: forget_bounces
-- Soft bounces of long ago say nothing of today.
delete from soft_bounces where last_at < now() - $1::interval returning true;

-- name: drop_suppressions
-- Entries that are over stop nothing.
with past as (
    select project_id, key_hash, channel from suppressions where expires_at < now() order by expires_at limit $1
    for update skip locked
)
delete from suppressions s using past
where s.project_id = past.project_id and s.key_hash = past.key_hash and s.channel = past.channel
returning true;

-- name: forget_status_events
-- What was told of deliveries that are not kept any more.
delete from status_events where recorded_at < now() - $1::interval returning true;

-- name: keep_ids_of_open
-- The ids of what has waited for so long stay as if it had come today: its content is still there.
update claims c set last_day = (now() at time zone 'UTC')::date
from open_deliveries d
where d.created_at < now() - $1::interval + interval '1 day' and c.delivery_key = claim_key(d.delivery_id)
  and c.last_day < (now() at time zone 'UTC')::date
returning true;

-- name: raise_oldest_event
-- From here on nothing older is sent. Its ids are forgotten a round later: who enters deliveries meanwhile sees the one
-- or the other.
update oldest_event set at = now() - $1::interval where at < now() - $1::interval returning true;

-- name: drop_templates
-- Texts that no newest version of a distribution sends, for so long, and that no delivery has which waits, or which
-- failed and may be sent again; nor one that was deleted and can be brought back.
delete from templates t
where t.created_at < now() - $1::interval
  and not exists (select from deleted_distributions d where strpos(d.versions::text, t.digest) > 0)
  and not exists (
    select from (
        select definition, project_id, distribution_id, version,
               lead(applied_at) over (partition by project_id, distribution_id order by version) as replaced_at
        from distribution_versions
    ) as v
    cross join lateral jsonb_array_elements(
        v.definition->'channels'
        || coalesce(jsonb_path_query_array(v.definition, '$.arms[*].channels[*]'), '[]')) as plan
    where plan->'template'->>'digest' = t.digest
      and (v.replaced_at is null or v.replaced_at > now() - $1::interval
           or exists (select from open_deliveries d
                      where d.project_id = v.project_id and d.distribution_id = v.distribution_id
                        and d.distribution_version = v.version)
           or exists (select from ended_deliveries d
                      where d.state = 'failed' and d.project_id = v.project_id and d.distribution_id = v.distribution_id
                        and d.distribution_version = v.version)))
returning digest;

-- name: forget_erasures
-- Nothing of these customers is on its way any more.
delete from erased_customers where erased_at < now() - $1::interval;

-- name: drop_files
-- Files that no kept template names, for so long.
delete from attached_files f
where f.created_at < now() - $1::interval
  and not exists (select from templates t where t.body->'files' @> jsonb_build_array(jsonb_build_object('digest', f.digest)))
returning digest;

-- name: forget_imports
-- Imports that were over so long ago.
with past as (
    select project_id, import_id from imports where ended_at < now() - $1::interval order by ended_at limit $2
    for update skip locked
)
delete from imports i using past where i.project_id = past.project_id and i.import_id = past.import_id returning true;
