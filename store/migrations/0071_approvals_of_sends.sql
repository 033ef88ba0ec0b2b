-- Sends beyond a size need an approval, of what goes out by then.
alter table sends add column revision bigint not null default 0; -- one more with each edit
alter table sends add column approve_above bigint;               -- customers; null: to however many it goes
alter table sends add column segment_digest text;                -- of its segment's definition, once it began

-- The newest approval of a send: it counts as long as what it is bound to stays as it was.
create table send_approvals (
    project_id  text        not null,
    send_id     text        not null,
    approved_by text        not null,
    approved_at timestamptz not null default now(),
    audience    bigint      not null, -- that whoever approved was shown
    parts       text        not null, -- JSON: the digest of each thing that it is bound to
    primary key (project_id, send_id),
    foreign key (project_id, send_id) references sends on delete cascade
);
