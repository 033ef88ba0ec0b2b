-- name: begin_chore
-- Whether it is time for a chore, and nobody else has begun it since.
insert into chores (name, began_at) values ($1, now())
on conflict (name) do update set began_at = excluded.began_at where chores.began_at < now() - $2::interval
returning true;

-- name: drop_deliveries
-- Deliveries that were over long ago and whose ids are kept apart, with their attempts. The ids were written one round
-- earlier: who enters deliveries meanwhile sees the one or the other.
with gone as (
    select delivery_id from deliveries
    where state <> 'waiting' and announced and settled_at < now() - $1::interval
      and exists (select from past_deliveries p where p.key = delivery_key(delivery_id))
    order by settled_at limit $2
    for update skip locked -- one that is being sent again stays
), tried as (
    delete from attempts where delivery_id in (select delivery_id from gone)
), done as (
    delete from delivery_actions where delivery_id in (select delivery_id from gone)
)
delete from deliveries where delivery_id in (select delivery_id from gone) returning delivery_id;

-- name: keep_ids
-- The ids of those that come next.
insert into past_deliveries (key)
select delivery_key(delivery_id) from deliveries
where state <> 'waiting' and announced and settled_at < now() - $1::interval
order by settled_at limit $2
on conflict do nothing;

-- name: drop_templates
-- Texts that no newest version of a distribution sends, for so long, and that no delivery waits with.
delete from templates t
where t.created_at < now() - $1::interval
  and not exists (
    select from (
        select definition, project_id, distribution_id, version,
               lead(applied_at) over (partition by project_id, distribution_id order by version) as replaced_at
        from distribution_versions
    ) as v
    cross join lateral jsonb_array_elements(v.definition->'channels') as plan
    where plan->'template'->>'digest' = t.digest
      and (v.replaced_at is null or v.replaced_at > now() - $1::interval
           or exists (select from deliveries d
                      where d.state = 'waiting' and d.project_id = v.project_id and d.distribution_id = v.distribution_id
                        and d.distribution_version = v.version)))
returning digest;

-- name: forget_erasures
-- Nothing of these customers is on its way any more.
delete from erased_customers where erased_at < now() - $1::interval;
