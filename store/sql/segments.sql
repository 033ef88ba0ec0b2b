-- name: current
-- Every segment of a project behind an id, $3 at most, with its members and how far its computation is.
select s.segment_id, s.version, s.definition, s.applied_at, s.computed_version, s.computed,
       (select count(*) from segment_memberships m
        where m.project_id = s.project_id and m.segment_id = s.segment_id and m.is_member) as members,
       (select count(*) from segment_unjudged u
        where u.project_id = s.project_id and u.segment_id = s.segment_id) as unjudged
from segments s where s.project_id = $1 and s.segment_id > $2 order by s.segment_id limit $3;

-- name: ids
-- The segments of a project by name alone.
select segment_id from segments where project_id = $1 order by segment_id;

-- name: sources
-- The segments of a project that somebody wrote, or the one of them with the id $2; those that sends made have no source.
select segment_id, definition, source from segments
where project_id = $1 and source <> '' and ($2::text is null or segment_id = $2) order by segment_id;

-- name: version
-- The version of a segment.
select version from segments where project_id = $1 and segment_id = $2;

-- name: count_customers
-- How many profiles of a project there are.
select count(*) from segment_customers where project_id = $1;

-- name: apply
-- A new segment, or the next version of one; that is computed from the first customer on.
insert into segments (segment_id, project_id, version, definition, source, applied_by, created_at, applied_at)
values ($1, $2, $3, $4, $5, $6, $7, $7)
on conflict (project_id, segment_id) do update set
    version = excluded.version, definition = excluded.definition, source = excluded.source,
    applied_by = excluded.applied_by, applied_at = excluded.applied_at, computed_to = '', computed = 0
where segments.version = excluded.version - 1
returning segment_id;

-- name: remove
-- A segment, with all its memberships.
delete from segments where project_id = $1 and segment_id = $2 returning version;

-- name: definition
-- A segment as it is defined before it changes.
select definition from segments where project_id = $1 and segment_id = $2;

-- name: members
-- Who is in a segment, in the order of ids, behind one of them.
select customer_id, since from segment_memberships
where project_id = $1 and segment_id = $2 and is_member and customer_id > $4 order by customer_id limit $3;

-- name: spread_members
-- Some who are in a segment, spread over all of them and each time the same, with their profiles.
select m.customer_id, c.profile from (
    select customer_id from segment_memberships where project_id = $1 and segment_id = $2 and is_member
    order by hashtextextended(customer_id, 0), customer_id limit $3) m
left join segment_customers c on c.project_id = $1 and c.customer_id = m.customer_id
order by m.customer_id;

-- name: spread_profiles
-- Profiles of some customers, spread over all of them and each time the same.
select c.customer_id, c.profile from (
    select customer_id from segment_customers where project_id = $1
    order by hashtextextended(customer_id, 0), customer_id limit $2) chosen
join segment_customers c on c.project_id = $1 and c.customer_id = chosen.customer_id
order by c.customer_id;

-- name: profiles_by_id
-- The profiles of those of some customers that have one, with their ids.
select customer_id, profile from segment_customers where project_id = $1 and customer_id = any($2::text[]);

-- name: count
-- How many are in a segment.
select count(*) from segment_memberships where project_id = $1 and segment_id = $2 and is_member;

-- name: of_customer
-- The segments that a customer is in.
select segment_id, since from segment_memberships
where project_id = $1 and customer_id = $2 and is_member order by segment_id;

-- name: add_position
-- A partition that is read for the first time.
insert into segment_positions (topic, partition, next_offset, stamp) values ($1, $2, 0, -1) on conflict do nothing;

-- name: lock_position
-- How far a partition is in, and those of some customers that are known; locked, the position first, which keeps out a
-- process that has lost the partition and does not know yet.
with place as materialized (
    select next_offset, stamp from segment_positions where topic = $1 and partition = $2 for update
)
select place.next_offset, place.stamp, known.customer_id, known.partition, known.epoch, known.profile, known.due_at
from place left join lateral (
    select customer_id, partition, epoch, profile, due_at from segment_customers
    where project_id = $3 and customer_id = any((string_to_array($4, chr(31)))[2:]) order by customer_id for update
) known on true;

-- name: move_position
-- A hand of records is in.
update segment_positions set next_offset = $3, stamp = greatest(stamp, $4) where topic = $1 and partition = $2;

-- name: lock_customers
-- Some customers, so that nobody else works on them; in one order for all, so that none waits for the other.
select customer_id, partition, epoch, profile, due_at from segment_customers
where project_id = $1 and customer_id = any((string_to_array($2, chr(31)))[2:]) order by customer_id for update;

-- name: lock_due
-- Customers to look at again because time has passed, the most overdue first; not those that another works on.
select project_id, customer_id, partition, epoch, profile, due_at from segment_customers
where due_at <= $1 order by due_at limit $2 for update skip locked;

-- name: lock_next
-- The next customers of a computation.
select customer_id, partition, epoch, profile, due_at from segment_customers
where project_id = $1 and customer_id > $2 order by customer_id limit $3 for update;

-- name: overdue
-- Customers that should have been looked at, whoever may be at work on them.
select count(*) as customers, min(due_at) as since from segment_customers where due_at <= $1;

-- name: look
-- The moment, in a row without an id; what every segment's version is and how far it is computed; and what is known of
-- some customers. Asked after these are locked: what a computation has done to them is then to be seen here.
select null::text as segment_id, null::bigint as serial, null::bigint as version, clock_timestamp() as created_at,
       null::timestamptz as applied_at, null::bigint as computed_version, null::text as computed_to,
       null::text as customer_id, null::boolean as is_member, null::bigint as number
union all
select segment_id, serial, version, created_at, applied_at, computed_version, computed_to, null, null, null
from segments where project_id = $1
union all
select segment_id, null, null, null, null, null, null, customer_id, is_member, number
from segment_memberships where project_id = $1 and customer_id = any((string_to_array($2, chr(31)))[2:]);

-- name: definitions
-- Some segments as they are defined.
select definition from segments where project_id = $1 and segment_id = any($2::text[]);

-- name: lock_computation
-- One segment that is not computed; not one that another computes, nor some others. Its key is left free for new
-- memberships.
select project_id, segment_id from segments where computed_version < version
and (project_id, segment_id) not in (select * from unnest($1::text[], $2::text[]))
order by project_id, segment_id limit 1 for no key update skip locked;

-- name: advance
-- A hand of customers is computed.
update segments set computed_to = $3, computed = computed + $4 where project_id = $1 and segment_id = $2;

-- name: finish
-- There is no further customer.
update segments set computed_version = version where project_id = $1 and segment_id = $2;

-- name: put_memberships
-- What has changed.
insert into segment_memberships (project_id, customer_id, segment_id, is_member, number, since)
select $1, * from unnest((string_to_array($2, chr(31)))[2:], (string_to_array($3, chr(31)))[2:],
                         $4::text::boolean[], $5::text::bigint[], $6::text::timestamptz[])
on conflict (project_id, customer_id, segment_id) do update set
    is_member = excluded.is_member, number = excluded.number, since = excluded.since;

-- name: add_customers
-- Customers that nobody knows yet, as long as the transaction lasts: whoever else is about to add one waits for its end.
insert into segment_customers (project_id, customer_id, partition, epoch, profile)
select $1, customer_id, $3, 0, '{}' from unnest($2::text[]) as new (customer_id) order by customer_id
on conflict do nothing returning customer_id;

-- name: put_customers
-- Profiles, and when to look at them again. What is as it was is not written again: upstream sends all of them, at times.
insert into segment_customers (project_id, customer_id, partition, epoch, profile, due_at, source_id, email_key,
                               phone_key, name_key, turned_name_key)
select $1, customer_id, partition, epoch, profile, due_at, source_id, nullif(email_key, ''), nullif(phone_key, ''),
       nullif(name_key, ''), nullif(turned_name_key, '')
from unnest((string_to_array($2, chr(31)))[2:], $3::text::integer[], $4::text::bigint[], $5::bytea[],
            $6::text::timestamptz[], $7::text[], (string_to_array($8, chr(31)))[2:], (string_to_array($9, chr(31)))[2:],
            (string_to_array($10, chr(31)))[2:], (string_to_array($11, chr(31)))[2:])
    as n (customer_id, partition, epoch, profile, due_at, source_id, email_key, phone_key, name_key, turned_name_key)
on conflict (project_id, customer_id) do update set
    partition = excluded.partition, epoch = excluded.epoch, profile = excluded.profile, due_at = excluded.due_at,
    source_id = excluded.source_id, email_key = excluded.email_key, phone_key = excluded.phone_key,
    name_key = excluded.name_key, turned_name_key = excluded.turned_name_key
where (segment_customers.partition, segment_customers.epoch, segment_customers.profile, segment_customers.due_at,
       segment_customers.source_id, segment_customers.email_key, segment_customers.phone_key,
       segment_customers.name_key, segment_customers.turned_name_key)
   is distinct from (excluded.partition, excluded.epoch, excluded.profile, excluded.due_at,
       excluded.source_id, excluded.email_key, excluded.phone_key, excluded.name_key, excluded.turned_name_key);

-- name: put_due
-- When to look again at profiles that are as they were.
update segment_customers c set due_at = n.due_at
from unnest($2::text[], $3::timestamptz[]) as n (customer_id, due_at)
where c.project_id = $1 and c.customer_id = n.customer_id;

-- name: add_to_outbox
-- What Kafka has to be told of a transaction.
insert into segment_outbox (packed) values ($1);

-- name: take_outbox
-- The oldest entries, forgotten with the end of the transaction, when Kafka has acknowledged them; one process at a time,
-- so that the changes of a customer are told in their order.
with taken as (
    delete from segment_outbox
    where id = any(array(select id from segment_outbox order by id limit $1 for update))
    returning id, packed, partitions, keys, events
)
select packed, partitions, keys, events from taken order by id;

-- name: clear_unjudged
-- Whatever segments could not judge of some customers until now and can judge again.
delete from segment_unjudged u where u.project_id = $1 and u.customer_id = any((string_to_array($2, chr(31)))[2:])
and not exists (
    select from unnest($3::text[], $4::text[]) as still (customer_id, segment_id)
    where still.customer_id = u.customer_id and still.segment_id = u.segment_id
);

-- name: put_unjudged
-- What segments cannot judge. What is as it was is not written again.
insert into segment_unjudged (project_id, customer_id, segment_id, reason)
select $1, * from unnest($2::text[], $3::text[], $4::text[])
on conflict (project_id, customer_id, segment_id) do update set reason = excluded.reason
where segment_unjudged.reason <> excluded.reason;

-- name: erase_unjudged
-- What could not be judged of erased customers.
delete from segment_unjudged where project_id = $1 and customer_id = any($2::text[]);

-- name: unjudged_of_customer
-- The segments that cannot judge a customer, and why.
select segment_id, reason from segment_unjudged where project_id = $1 and customer_id = $2 order by segment_id;

-- name: unjudged_reasons
-- Why customers cannot be judged by a segment, most frequent first, each with the first of them. Values differ.
select count(*) as customers, min(customer_id) as customer_id, (array_agg(reason order by customer_id))[1] as reason
from segment_unjudged where project_id = $1 and segment_id = $2
group by split_part(reason, ', the value is', 1) order by customers desc, reason limit $3;

-- name: count_unjudged
-- How many customers each segment cannot judge, the most first.
select project_id, segment_id, count(*) as customers from segment_unjudged
group by project_id, segment_id order by customers desc, project_id, segment_id limit $1;

-- name: profiles_of
-- The profiles of some customers.
select profile from segment_customers where project_id = $1 and customer_id = any($2::text[]);

-- name: erase_memberships
-- All that is known of erased customers.
delete from segment_memberships where project_id = $1 and customer_id = any($2::text[]);

-- name: erase_customers
-- Their profiles.
delete from segment_customers where project_id = $1 and customer_id = any($2::text[]);
