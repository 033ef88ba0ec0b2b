-- name: note
-- The categories that customers consent to, each with when Kafka was told. What is older than what is known, or than $5,
-- changes nothing; nor does what says the same.
insert into consents as c (project_id, customer_id, given, changed_at)
select project_id, customer_id, array(select jsonb_array_elements_text(given::jsonb)), least(at, now())
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as n (project_id, customer_id, given, at)
where at is null or at > now() - $5::interval
order by 1, 2 -- so that two who note the same do not wait for each other
on conflict (project_id, customer_id) do update
    set given = excluded.given, changed_at = excluded.changed_at
    where excluded.changed_at >= c.changed_at and excluded.given <> c.given;
