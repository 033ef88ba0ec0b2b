-- name: found
-- Customers with an id, a source id, an address, a number or a name that begins with what is sought: $2 as it is
-- written, $3 folded, $4 as the end of a phone number. Those that are meant exactly come first; at most $5. Each part is
-- bounded by itself: a beginning that a million share is as fast as another.
with sought as (
    (select customer_id from segment_customers
     where project_id = $1 and customer_id >= $2 and customer_id < $2 || U&'\+10FFFF' order by customer_id limit $5)
    union
    (select customer_id from segment_customers
     where project_id = $1 and source_id >= $2 and source_id < $2 || U&'\+10FFFF' order by source_id limit $5)
    union
    (select customer_id from segment_customers
     where project_id = $1 and email_key >= $3 and email_key < $3 || U&'\+10FFFF' order by email_key limit $5)
    union
    (select customer_id from segment_customers
     where project_id = $1 and phone_key >= $4 and phone_key < $4 || U&'\+10FFFF' order by phone_key limit $5)
    union
    (select customer_id from segment_customers
     where project_id = $1 and name_key >= $3 and name_key < $3 || U&'\+10FFFF' order by name_key limit $5)
    union
    (select customer_id from segment_customers
     where project_id = $1 and turned_name_key >= $3 and turned_name_key < $3 || U&'\+10FFFF'
     order by turned_name_key limit $5)
)
select c.customer_id, c.profile from sought join segment_customers c on c.customer_id = sought.customer_id
where c.project_id = $1
order by c.customer_id <> $2, coalesce(c.source_id <> $2, true), coalesce(c.email_key <> $3, true), c.customer_id limit $5;

-- name: page
-- Customers in the order of their ids, behind one of them.
select customer_id, profile from segment_customers
where project_id = $1 and customer_id > $2 order by customer_id limit $3;

-- name: profile
-- The profile of a customer.
select customer_id, profile from segment_customers where project_id = $1 and customer_id = $2;
