-- What people did to deliveries: sent again, cancelled, hurried.
create table delivery_actions (
    delivery_id text        not null,
    at          timestamptz not null,
    action      text        not null,
    actor       text        not null,
    primary key (delivery_id, at, action)
);

-- Of the attempts of a delivery that is sent again, those that count no more.
alter table deliveries add column attempts_before integer not null default 0;

-- Destinations that somebody wants asked at once, whatever they said of when; every sender looks here.
create table hurried_destinations (
    channel     text        not null,
    destination text        not null,
    hurried_at  timestamptz not null,
    primary key (channel, destination)
);
