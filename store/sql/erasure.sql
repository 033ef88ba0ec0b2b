-- name: note
-- Customers who were erased, and when Kafka was told; the latest counts.
insert into erased_customers (project_id, customer_id, erased_at)
select project_id, customer_id, least(at, now())
from unnest($1::text[], $2::text[], $3::timestamptz[]) as erased (project_id, customer_id, at)
on conflict (project_id, customer_id) do update
    set erased_at = greatest(erased_customers.erased_at, excluded.erased_at);

-- name: find
-- Deliveries that still say something of erased customers.
select d.delivery_id, d.record
from unnest($1::text[], $2::text[]) as asked (project_id, customer_id)
join erased_customers e on e.project_id = asked.project_id and e.customer_id = asked.customer_id
join deliveries d on d.customer_id = e.customer_id and d.project_id = e.project_id and d.arrived_at <= e.erased_at
where not d.erased
limit $3;

-- name: erase
-- Keeps of deliveries what has to be told of them, and ends those that wait. One that somebody else is sending at this
-- moment is ended by whoever has it next, since it says whose it was.
with kept as (
    select k.delivery_id, k.record,
           d.state = 'waiting' and (d.lease_owner is null or d.lease_until < now() or d.lease_owner = $3) as ends
    from unnest($1::text[], $2::bytea[]) as k (delivery_id, record)
    join deliveries d on d.delivery_id = k.delivery_id
    order by k.delivery_id for update of d
), tried as (
    update attempts set detail = '' where delivery_id = any($1) and detail <> ''
)
update deliveries d
set record = kept.record, provider_id = null, erased = true,
    state = case when ends then 'failed' else state end,
    reason = case when ends then 'no_address' else reason end,
    detail = case when ends then 'the customer was erased' else '' end,
    settled_at = case when ends then now() else settled_at end,
    lease_owner = case when ends then null else lease_owner end,
    lease_until = case when ends then null else lease_until end
from kept
where d.delivery_id = kept.delivery_id;

-- name: erase_publications
-- What publications of codes say of the customer they went to; the codes stay, and are the customer's.
update publications p
set customer = asked.customer
from unnest($1::text[], $2::text[], $3::text[]) as asked (project_id, customer_id, customer)
join campaigns c on c.project_id = asked.project_id
where p.campaign_key = c.key and p.customer_id = asked.customer_id;
