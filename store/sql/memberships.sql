-- name: is_anything_to_tell
-- Something has to be told: a customer's memberships, or to a topic of so many partitions that all are told.
select exists (select from membership_changes) or (select complete_on from membership_telling) <> $1::integer;

-- name: lock_telling
-- One process at a time tells memberships. Its revision is above all before, also after the database was restored.
update membership_telling
set revision = greatest(revision + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
returning revision, complete_on, clock_timestamp() as now;

-- name: take_changes
-- The oldest customers whose memberships have to be told, and what they are in. They are forgotten with the end of the
-- transaction, when Kafka has acknowledged them.
with taken as (
    delete from membership_changes
    where id = any(array(select id from membership_changes order by id limit $1))
    returning project_id, customer_id
), whose as (select distinct project_id, customer_id from taken)
:standings;

-- name: memberships_of
-- What these customers are in; of whom nothing is known any more, that they are not there.
with whose as (select distinct * from unnest($1::text[], $2::text[]) as u (project_id, customer_id))
:standings;

-- name: standings
-- Of some customers, what they are in.
select w.project_id, w.customer_id, c.customer_id is not null as is_there,
       coalesce(array_agg(m.segment_id order by m.segment_id collate "C") filter (where m.is_member), '{}') as segments
from whose w
left join segment_customers c using (project_id, customer_id)
left join segment_memberships m using (project_id, customer_id)
group by w.project_id, w.customer_id, c.customer_id

-- name: is_complete
-- Whatever was known at the start is told.
select not exists (select from membership_changes where id <= (select complete_after from membership_telling));

-- name: complete
-- So many partitions were told that all is told.
update membership_telling set complete_on = $1;

-- name: tell_again
-- The topic may have lost what it held: every customer of whom a membership was ever known is told again.
with again as (
    insert into membership_changes (project_id, customer_id)
    select project_id, customer_id from segment_memberships group by project_id, customer_id returning id
)
update membership_telling set complete_on = 0,
    complete_after = greatest(complete_after, (select coalesce(max(id), 0) from again))
returning (select count(*) from again);

-- name: waiting
-- How many changes wait, and how many partitions were told that all is told.
select (select count(*) from membership_changes) as changes, complete_on from membership_telling;
