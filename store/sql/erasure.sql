-- name: ask
-- The tombstone of a customer on its way to Kafka; the key names the project as well.
insert into outbox (topic, key, payload, created_at) values ($1, $2, null, now()) returning created_at;

-- name: lock_imported
-- No batch of an import is on its way while a customer of the project is erased.
select pg_advisory_xact_lock(hashtextextended('imported_customers ' || $1, 0));

-- name: note
-- Customers who were erased, and when Kafka was told; the latest counts.
insert into erased_customers (project_id, customer_id, erased_at)
select project_id, customer_id, least(at, now())
from unnest($1::text[], $2::text[], $3::timestamptz[]) as erased (project_id, customer_id, at)
on conflict (project_id, customer_id) do update
    set erased_at = greatest(erased_customers.erased_at, excluded.erased_at);

-- name: forget_consents
-- What erased customers consented to.
delete from consents c using unnest($1::text[], $2::text[]) as erased (project_id, customer_id)
where c.project_id = erased.project_id and c.customer_id = erased.customer_id;

-- name: forget_calls
-- The log of endpoints, as far as it is about deliveries to erased customers: bodies say everything of them.
delete from endpoint_calls c
using unnest($1::text[], $2::text[]) as erased (project_id, customer_id)
join erased_customers e using (project_id, customer_id)
where c.project_id = e.project_id and c.customer_id = e.customer_id and c.arrived_at <= e.erased_at;

-- name: forget_choices
-- What erased customers chose with us, here and in the topic $3: a tombstone, whose key names the project as well.
with forgotten as (
    delete from consent_choices c using unnest($1::text[], $2::text[]) as erased (project_id, customer_id)
    where c.project_id = erased.project_id and c.customer_id = erased.customer_id
    returning c.project_id, c.customer_id
)
insert into outbox (topic, key, payload, created_at)
select distinct $3::text, project_id || chr(31) || customer_id, null::jsonb, now() from forgotten;

-- name: forget_memberships
-- Lists of sends, as far as erased customers stand in them: what is not out yet is not made.
delete from send_members m using unnest($1::text[], $2::text[]) as erased (project_id, customer_id)
where m.project_id = erased.project_id and m.customer_id = erased.customer_id;

-- name: forget_suppressed
-- Of some keys, as projects and hashes, the hash alone stays: deliveries are compared by it. Of the source what begins with
-- $3 stays as well, since it says who may lift it.
update suppressions s
set key = 'sha256:' || replace(s.key_hash::text, '-', ''),
    source = case when starts_with(s.source, $3) then $3 else '' end
from unnest($1::text[], $2::uuid[]) as erased (project_id, key_hash)
where s.project_id = erased.project_id and s.key_hash = erased.key_hash and not starts_with(s.key, 'sha256:');

-- name: forget_checkpoints
-- Where sends by hand that are over came to last, where that is an erased customer.
update sends s set checkpoint = ''
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id)
where s.project_id = erased.project_id and s.checkpoint = erased.customer_id and s.status in ('DONE', 'STOPPED');

-- name: lock_recorded
-- What recorders are writing at this moment is there; what they write from now on sees who was erased.
select pg_advisory_xact_lock(hashtextextended('recorded_erasures', 0));

-- name: forget_decisions
-- What recorded decisions about events before the erasure say of customers, but for the id: the values that checks saw.
update recorded_decisions r set detail = null, checks = '[]'
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at
  and (r.detail is not null or r.checks <> '[]');

-- name: forget_statuses
-- What recorded ends of deliveries say of customers, but for the id: the words of providers, their own ids, and codes.
update recorded_statuses r set detail = '', provider_id = null, code_key = null
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at
  and (r.detail <> '' or r.provider_id is not null or r.code_key is not null);

-- name: forget_purchases
-- The codes that erased customers redeemed; what was found by them stays counted.
update recorded_purchases r set code_key = null
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at and r.code_key is not null;

-- name: forget_rebuilt_decisions
-- The same of those that are being made anew.
update rebuilt_decisions r set detail = null, checks = '[]'
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at;

-- name: forget_rebuilt_statuses
-- The same of those that are being made anew.
update rebuilt_statuses r set detail = '', provider_id = null, code_key = null
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at;

-- name: forget_rebuilt_purchases
-- The same of those that are being made anew.
update rebuilt_purchases r set code_key = null
from unnest($1::text[], $2::text[]) as erased (project_id, customer_id) join erased_customers e using (project_id, customer_id)
where r.project_id = e.project_id and r.customer_id = e.customer_id and r.event_at <= e.erased_at;

-- name: erased_among
-- Of some customers, those who were erased.
select project_id, customer_id
from unnest($1::text[], $2::text[]) as asked (project_id, customer_id)
join erased_customers e using (project_id, customer_id);

-- name: find
-- Deliveries that still say something of erased customers.
select d.delivery_id, d.record
from unnest($1::text[], $2::text[]) as asked (project_id, customer_id)
join erased_customers e on e.project_id = asked.project_id and e.customer_id = asked.customer_id
join deliveries d on d.customer_id = e.customer_id and d.project_id = e.project_id and d.arrived_at <= e.erased_at
where not d.erased
limit $3;

-- name: without_details
-- The attempts, without what was answered: answers name addresses.
array(select (t.at, t.duration_ms, t.outcome, '')::attempt
      from unnest(d.tries) with ordinality as t (at, duration_ms, outcome, detail, number) order by t.number)

-- name: erase
-- Keeps of deliveries what has to be told of them, and ends those that wait. One that somebody else is sending at this
-- moment is ended by whoever has it next, since it says whose it was. What has left the queue meanwhile is found again.
with asked as (
    select * from unnest($1::text[], $2::bytea[]) as a (delivery_id, record)
), kept as (
    select asked.delivery_id, asked.record,
           d.state = 'waiting' and (d.lease_owner is null or d.lease_until < now() or d.lease_owner = $3) as ends
    from asked join open_deliveries d on d.delivery_id = asked.delivery_id
    order by asked.delivery_id for update of d
), in_queue as (
    update open_deliveries d
    set record = kept.record, provider_id = null, erased = true, address_keys = '{}', tries = :without_details,
        state = case when ends then 'failed' else state end,
        reason = case when ends then 'no_address' else reason end,
        detail = case when ends then 'the customer was erased' else '' end,
        settled_at = case when ends then now() else settled_at end,
        lease_owner = case when ends then null else lease_owner end,
        lease_until = case when ends then null else lease_until end
    from kept
    where d.delivery_id = kept.delivery_id
)
update ended_deliveries d
set record = asked.record, provider_id = null, erased = true, detail = '', tries = :without_details
from asked
where d.delivery_id = asked.delivery_id;

-- name: erase_publications
-- What publications of codes say of the customer they went to; the codes stay, and are the customer's.
update publications p
set customer = asked.customer
from unnest($1::text[], $2::text[], $3::text[]) as asked (project_id, customer_id, customer)
join campaigns c on c.project_id = asked.project_id
where p.campaign_key = c.key and p.customer_id = asked.customer_id;
