-- name: is_anything_to_tell
-- Something has to be told: a customer's memberships, or to a topic of so many partitions that all are told.
select exists (select from membership_changes) or (select complete_on from membership_telling) <> $1::integer;

-- name: lock_telling
-- One process at a time tells memberships. Its revision is above all before, also after the database was restored.
update membership_telling
set revision = greatest(revision + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
returning revision, complete_on, clock_timestamp() as now;

-- name: take_changes
-- Customers whose memberships have to be told, $1 of them and as many as the last row holds, the oldest first, and what
-- they are in. They are forgotten with the end of the transaction, when Kafka has acknowledged them.
with oldest as (
    select id, sum(customers) over (order by id) - customers as before
    from (select id, customers from membership_changes order by id limit $1) as first
), taken as (
    delete from membership_changes where id = any(array(select id from oldest where before < $1))
    returning project_id, customer_ids
), whose as (select distinct project_id, customer_id from taken cross join unnest(customer_ids) as u (customer_id))
:standings;

-- name: memberships_of
-- What these customers are in; of whom nothing is known any more, that they are not there.
with whose as (select distinct * from unnest($1::text[], $2::text[]) as u (project_id, customer_id))
:standings;

-- name: standings
-- Of some customers, what they are in: looked up one by one, also where a plan was made while the tables were small.
select w.project_id, w.customer_id,
       coalesce((select true from segment_customers c
                 where c.project_id = w.project_id and c.customer_id = w.customer_id), false) as is_there,
       array(select m.segment_id from segment_memberships m
             where m.project_id = w.project_id and m.customer_id = w.customer_id and m.is_member
             order by m.segment_id collate "C") as segments
from whose w

-- name: is_complete
-- Whatever was known at the start is told.
select not exists (select from membership_changes where id <= (select complete_after from membership_telling));

-- name: complete
-- So many partitions were told that all is told.
update membership_telling set complete_on = $1;

-- name: tell_again
-- The topic may have lost what it held: every customer of whom a membership was ever known is told again.
with again as (
    insert into membership_changes (project_id, customer_ids, customers)
    select project_id, array_agg(customer_id), count(*)
    from (
        select project_id, customer_id, (row_number() over (order by project_id, customer_id) - 1) / 1000 as part
        from segment_memberships group by project_id, customer_id
    ) one
    group by project_id, part order by project_id, part returning id, customers
)
update membership_telling set complete_on = 0,
    complete_after = greatest(complete_after, (select coalesce(max(id), 0) from again))
returning (select coalesce(sum(customers), 0) from again);

-- name: waiting
-- How many changes wait, and how many partitions were told that all is told.
select (select coalesce(sum(customers), 0) from membership_changes) as changes, complete_on from membership_telling;
