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

-- name: take_over
-- Choices that a later profile says as well: from then on it alone counts, also where one after it gives the consent anew.
update consent_choices c set taken_over_at = n.at
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as n (project_id, customer_id, given, at)
where c.project_id = n.project_id and c.customer_id = n.customer_id and c.taken_over_at is null and n.at > c.chosen_at
  and case when c.given then n.given::jsonb ? c.category
           when c.category = '*' then n.given::jsonb = '[]'
           else not n.given::jsonb ? c.category end;
