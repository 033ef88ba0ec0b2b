-- Ids of deliveries that are long over: without content, and for ever, since an event that is read again makes the same
-- id again, and some distributions send once in a customer's life. 16 bytes of an id as we make them.
create table past_deliveries (key bytea primary key);

create function delivery_key(delivery_id text) returns bytea immutable strict parallel safe language sql as $$
    select case when delivery_id ~ '^dlv_[0-9a-f]{32}$' then decode(substr(delivery_id, 5), 'hex')
                else convert_to(delivery_id, 'UTF8') end
$$;

-- When work that one process is to do at a time was last begun.
create table chores (
    name     text        primary key,
    began_at timestamptz not null
);

-- Customers whose profile was deleted: what of theirs had reached Kafka by then is not sent, and not kept.
create table erased_customers (
    project_id  text        not null,
    customer_id text        not null,
    erased_at   timestamptz not null, -- of the tombstone in Kafka
    primary key (project_id, customer_id)
);
create index erased_customers_by_time on erased_customers (erased_at);

alter table deliveries add column erased boolean not null default false;
create index deliveries_over on deliveries (settled_at) where state <> 'waiting' and announced;
