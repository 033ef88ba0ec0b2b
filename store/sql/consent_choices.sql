-- What customers choose with us, beside what `customers` says of them.

-- name: choices_of
-- All choices of a customer.
select category, given, chosen_at as at, way, delivery_id, taken_over_at is not null as is_taken_over
from consent_choices where project_id = $1 and customer_id = $2 order by category;

-- name: who_withdrew
-- Those of some customers to whom nothing of a category is sent because of what they have chosen.
select distinct customer_id from consent_choices
where project_id = $1 and customer_id = any($2::text[]) and category = any($3::text[])
  and not given and taken_over_at is null;

-- name: one_at_a_time
-- Holds off another choice of the same customer until this transaction ends.
select pg_advisory_xact_lock(hashtextextended($1 || chr(31) || $2, 34));

-- name: choose
-- Keeps the choices that say something new; how many.
with changed as (
    insert into consent_choices as c (project_id, customer_id, category, given, chosen_at, way, delivery_id)
    select $1, $2, category, given, now(), $5, $6
    from unnest($3::text[], $4::boolean[]) as n (category, given)
    on conflict (project_id, customer_id, category) do update
        set given = excluded.given, chosen_at = excluded.chosen_at, way = excluded.way,
            delivery_id = excluded.delivery_id, taken_over_at = null
        where c.given <> excluded.given or c.taken_over_at is not null
    returning 1
)
select count(*) from changed;

-- name: given_by_profile
-- The categories that a customer's last profile gives; no row where none was read lately.
select given from consents where project_id = $1 and customer_id = $2;
