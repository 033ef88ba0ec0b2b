-- Manual sends, each with how far its events are out.
create table sends (
    project_id      text        not null,
    send_id         text        not null,
    distribution_id text        not null,
    status          text        not null check (status in ('DRAFT', 'TO SEND', 'SENDING', 'PAUSED', 'DONE', 'STOPPED')),
    segment_id      text,                  -- null: to those in send_members
    owns_segment    boolean     not null,  -- made for this send, and goes with its end
    at              timestamptz,
    local_time      text,                  -- of each customer's own clock
    not_before      timestamptz,           -- when its moment comes first, wherever customers live
    lasts_until     timestamptz,           -- when it has come everywhere
    hold            interval    not null,
    audience        bigint      not null default 0, -- as it was counted last, before it began
    confirmed_at    timestamptz,
    hold_from       timestamptz,           -- null: not confirmed, or its segment is not complete yet
    starts_at       timestamptz,           -- the end of its hold, or its moment where that is later
    started_at      timestamptz,
    version         bigint,                -- the distribution's, from its first event on
    distribution    text,                  -- data.distribution of its events, to the letter
    checkpoint      text        not null default '' collate "C", -- the last member whose event is out
    emitted         bigint      not null default 0,
    emitted_at      timestamptz,           -- when all were
    gone            bigint,                -- how many had left when it was stopped
    waits_for       text        not null default '',
    look_at         timestamptz not null default now(),
    lease_owner     text,
    lease_until     timestamptz,
    created_by      text        not null,
    created_at      timestamptz not null default now(),
    ended_at        timestamptz,
    primary key (project_id, send_id)
);
create index sends_at_work on sends (look_at) where status in ('TO SEND', 'SENDING');
create index sends_of_segments on sends (project_id, segment_id)
    where segment_id is not null and status not in ('DONE', 'STOPPED');

-- The customers of a send to a list.
create table send_members (
    project_id  text not null,
    send_id     text not null,
    customer_id text not null collate "C",
    primary key (project_id, send_id, customer_id),
    foreign key (project_id, send_id) references sends on delete cascade
);
create index send_members_of_customers on send_members (project_id, customer_id);

-- What people did to sends.
create table send_actions (
    project_id text        not null,
    send_id    text        not null,
    at         timestamptz not null,
    action     text        not null,
    actor      text        not null,
    detail     text        not null,
    foreign key (project_id, send_id) references sends on delete cascade
);
create index send_actions_of on send_actions (project_id, send_id, at);

-- The send that a delivery is a part of: what is stopped or paused is found by it.
alter table open_deliveries add column send_id text;
alter table ended_deliveries add column send_id text;
create index open_deliveries_of_sends on open_deliveries (project_id, send_id) where send_id is not null;
create index ended_deliveries_of_sends on ended_deliveries (project_id, send_id) where send_id is not null;
