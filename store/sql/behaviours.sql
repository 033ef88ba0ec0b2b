-- name: versions
-- Every segment's version, of all projects.
select project_id, segment_id, serial, version from segments;

-- name: all_behaviours
-- Every behaviour that is counted.
select project_id, key, topic, is_ready from segment_behaviours;

-- name: behaviours
-- The behaviours of a project, with the moment since when they are known as a whole.
select b.key, b.is_ready,
       (select max(p.since) from segment_behaviour_positions p where p.project_id = b.project_id and p.key = b.key) as since
from segment_behaviours b where b.project_id = $1;

-- name: progress
-- The same for people: how many records of those that were there at the beginning are in.
select b.key, b.topic, b.is_ready, b.created_at, max(p.since) as since,
       coalesce(sum(least(p.next_offset, p.goal)), 0)::bigint as done, coalesce(sum(p.goal), 0)::bigint as goal
from segment_behaviours b left join segment_behaviour_positions p using (project_id, key)
where b.project_id = $1 group by b.project_id, b.key order by b.key;

-- name: add_behaviour
-- A behaviour that a segment asks for.
insert into segment_behaviours (project_id, key, topic, created_at, is_ready) values ($1, $2, $3, $4, false)
on conflict do nothing returning key;

-- name: add_behaviour_positions
-- Its partitions, each from the first record that is still there.
insert into segment_behaviour_positions (project_id, key, topic, partition, next_offset, goal, stamp, since, is_cut)
select $1, $2, $3, p.partition, p.low, p.high, -1, case when p.low > 0 then $4::timestamptz end, p.low > 0
from unnest($5::integer[], $6::bigint[], $7::bigint[]) as p (partition, low, high);

-- name: remove_behaviours
-- Behaviours that no segment asks for, with all that was counted.
delete from segment_behaviours b
using unnest($1::text[], $2::text[]) as gone (project_id, key)
where b.project_id = gone.project_id and b.key = gone.key;

-- name: settle
-- Behaviours that have come to where the topic ended when they were new.
update segment_behaviours b set is_ready = true
where not is_ready and not exists (
    select from segment_behaviour_positions p
    where p.project_id = b.project_id and p.key = b.key and p.next_offset < p.goal
)
returning project_id, key;

-- name: places
-- Where the behaviours that are ready, or those that are not, have to be read on.
select p.topic, p.partition, min(p.next_offset) as next_offset
from segment_behaviour_positions p join segment_behaviours b using (project_id, key)
where b.is_ready = $1 and p.partition = any($2::integer[]) group by p.topic, p.partition;

-- name: lock_behaviours
-- The behaviours that records from an offset on are for; one process at a time, in one order for all.
select p.project_id, p.key, p.next_offset, p.stamp, p.is_cut
from segment_behaviour_positions p join segment_behaviours b using (project_id, key)
where p.topic = $1 and p.partition = $2 and b.is_ready = $3 and p.next_offset >= $4
order by p.project_id, p.key for update of p;

-- name: move_behaviours
-- Records before an offset are in. Where others were gone before the first of them, its time is since when all is known.
update segment_behaviour_positions p
set next_offset = moved.next_offset, stamp = greatest(p.stamp, $4),
    since = case when p.is_cut then coalesce($5, p.since) else p.since end,
    is_cut = p.is_cut and $5::timestamptz is null
from unnest($1::text[], $2::text[], $6::bigint[]) as moved (project_id, key, next_offset)
where p.project_id = moved.project_id and p.key = moved.key and p.partition = $3;

-- name: cut_behaviours
-- Records that nobody has read are gone: from now on less is known than before.
update segment_behaviour_positions p set next_offset = $3, since = $4, is_cut = true
where p.topic = $1 and p.partition = $2 and p.next_offset < $3 and not (p.is_cut and p.next_offset = $3);

-- name: records
-- What is known of some customers.
select customer_id, key, record from segment_records where project_id = $1 and customer_id = any($2::text[]);

-- name: put_records
-- What has become of it.
insert into segment_records (project_id, customer_id, key, record)
select $1, * from unnest($2::text[], $3::text[], $4::bytea[])
on conflict (project_id, customer_id, key) do update set record = excluded.record;

-- name: forget_records
-- What no window reaches any more.
delete from segment_records r using unnest($2::text[], $3::text[]) as gone (customer_id, key)
where r.project_id = $1 and r.customer_id = gone.customer_id and r.key = gone.key;

-- name: erased
-- Of some customers, those who were erased, and when: what happened before is not counted any more.
select customer_id, erased_at from erased_customers where project_id = $1 and customer_id = any($2::text[]);

-- name: note_erased
-- Customers who are erased now, and when Kafka was told.
insert into erased_customers (project_id, customer_id, erased_at)
select $1, customer_id, least(at, now()) from unnest($2::text[], $3::timestamptz[]) as erased (customer_id, at)
on conflict (project_id, customer_id) do update
    set erased_at = greatest(erased_customers.erased_at, excluded.erased_at);

-- name: erase_records
-- All that erased customers did.
delete from segment_records where project_id = $1 and customer_id = any($2::text[]);
