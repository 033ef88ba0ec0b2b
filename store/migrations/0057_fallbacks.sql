-- What follows messages over another channel, unless one of them comes far enough, and how far messages came. The one may be
-- known before the other: they stand on different topics.
alter table holds
    add column follows text[],   -- ids of the deliveries before it; null for what waits for anything else
    add column unless  smallint; -- how far one of them has to come: 1 delivered, 2 opened, 3 clicked
create index holds_following on holds using gin (follows) where ended_at is null and follows is not null;
create table delivery_reach (
    project_id  text        not null,
    delivery_id text        not null,
    reached     smallint    not null, -- as in holds.unless
    reached_at  timestamptz not null,
    noted_at    timestamptz not null,
    primary key (project_id, delivery_id)
);
create index delivery_reach_noted on delivery_reach (noted_at);
