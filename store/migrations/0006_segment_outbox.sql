-- Entries and leaves that are kept and that Kafka has not acknowledged yet: a row for all that one transaction came to.
create table segment_outbox (
    id           bigint generated always as identity primary key, -- of one customer's, the later the higher
    partitions   integer[] not null,
    customer_ids text[]    not null,
    events       bytea[]   not null -- as they go out
);
alter table segment_outbox alter column events set storage external; -- for the moment that they stay, not worth packing
