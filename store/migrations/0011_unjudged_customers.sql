-- Customers whom a segment's condition cannot judge, as their profile holds a value of another kind: neither in nor out
-- by it, so that they stay what they were. Written with the memberships, in the same transaction.
create table segment_unjudged (
    customer_id text not null collate "C",
    segment_id  text not null references segments on delete cascade,
    reason      text not null,
    primary key (customer_id, segment_id)
);

create index segment_unjudged_of on segment_unjudged (segment_id, customer_id);
