-- What waits for a person, once for each thing that it is about; closed, it stays, to be opened again.
create table notices (
    project_id text        not null,
    kind       text        not null,
    about      text        not null,
    number     bigint      not null, -- how often it has been opened
    summary    text        not null,
    look_at    text        not null,
    opened_at  timestamptz not null,
    closed_at  timestamptz,
    told_at    timestamptz not null, -- when its owner was last told that it is open
    primary key (project_id, kind, about)
);

-- Messages to owners that have not arrived yet: one a notice and way, as in email:ops@example.com.
create table notice_messages (
    notice_id   text        not null,
    way         text        not null,
    project_id  text        not null,
    notice      bytea       not null, -- JSON, as it was when it was written
    due_at      timestamptz not null,
    attempts    integer     not null default 0,
    lease_owner text,
    detail      text        not null default '',
    primary key (notice_id, way)
);
create index notice_messages_due on notice_messages (due_at);
