-- Files of codes that were handed in whole, and are added batch by batch by whoever has the time.
create table code_imports (
    project_id     text        not null,
    import_id      text        not null,
    campaign_id    text        not null,
    state          text        not null default 'waiting'
                   check (state in ('waiting', 'checking', 'adding', 'done', 'refused', 'failed', 'canceled')),
    as_written     boolean     not null,
    bytes          bigint      not null,
    bytes_read     bigint      not null default 0, -- by the check
    rows           bigint      not null default 0, -- of the file, once it was checked
    rows_read      bigint      not null default 0, -- that were added, or were there already
    added          bigint      not null default 0,
    in_file        bigint      not null default 0,
    in_project     bigint      not null default 0,
    alike          bigint      not null default 0, -- like another code, but for capitals or zeros in front
    expired        bigint      not null default 0, -- that have ended already
    may_lack_zeros boolean     not null default false,
    first_position bigint,                         -- codes of the campaign from here on are of this import
    problems       text        not null default '[]',
    why            text        not null default '', -- it failed
    cancel_by      text,                           -- who asked for its end
    created_by     text        not null,
    created_at     timestamptz not null default now(),
    started_at     timestamptz,
    ended_at       timestamptz,
    lease_owner    text,
    lease_until    timestamptz,
    primary key (project_id, import_id)
);
create index code_imports_at_work on code_imports (created_at) where ended_at is null;
create index code_imports_newest on code_imports (project_id, created_at, import_id);

-- The file, until the import is over.
create table code_import_parts (
    project_id text    not null,
    import_id  text    not null,
    number     integer not null,
    content    bytea   not null,
    primary key (project_id, import_id, number),
    foreign key (project_id, import_id) references code_imports on delete cascade
);
