-- name: add
-- Calls that ended so many seconds ago; none of a customer who was erased since.
insert into endpoint_calls (project_id, endpoint, accepted, delivery_id, customer_id, arrived_at, attempt, at, duration_ms,
                            outcome, detail, request, reply)
select n.project_id, n.endpoint, n.accepted, n.delivery_id, n.customer_id, n.arrived_at, n.attempt,
       now() - make_interval(secs => n.age), n.duration_ms, n.outcome, n.detail, n.request::jsonb, n.reply::jsonb
from unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamptz[], $7::integer[],
            $8::float8[], $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[])
     with ordinality as n (project_id, endpoint, accepted, delivery_id, customer_id, arrived_at, attempt, age,
                           duration_ms, outcome, detail, request, reply, number)
where not exists (select from erased_customers e
                  where e.project_id = n.project_id and e.customer_id = n.customer_id and n.arrived_at <= e.erased_at)
order by n.number;

-- name: trim
-- Keeps of some endpoints the newest $3 that were accepted, and $4 of the others.
delete from endpoint_calls where (project_id, endpoint, accepted, id) in (
    select c.project_id, c.endpoint, c.accepted, c.id
    from unnest($1::text[], $2::text[]) as t (project_id, endpoint)
    cross join (values (true, $3::integer), (false, $4::integer)) as most (accepted, kept)
    cross join lateral (
        select k.id from endpoint_calls k
        where k.project_id = t.project_id and k.endpoint = t.endpoint and k.accepted = most.accepted
        order by k.id desc offset most.kept limit 1) as last
    join endpoint_calls c on c.project_id = t.project_id and c.endpoint = t.endpoint and c.accepted = most.accepted
                          and c.id <= last.id
    for update of c skip locked);

-- name: newest
-- The newest calls of an endpoint, or of a delivery.
select delivery_id, attempt, at, duration_ms, outcome, detail, request::text as request, reply::text as reply
from endpoint_calls
where project_id = $1 and endpoint = $2 and ($3::text is null or delivery_id = $3) and (not $4 or not accepted)
order by at desc, id desc limit $5;

-- name: endpoints
-- The endpoints of a project that calls are kept of.
select distinct endpoint from endpoint_calls where project_id = $1 order by 1;
