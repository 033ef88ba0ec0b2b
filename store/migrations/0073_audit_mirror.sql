-- How far each project's audit log is on its topic: rows behind it are still to be told.
create table audit_mirror (
    project_id text        primary key,
    position   bigint      not null,
    moved_at   timestamptz not null default now()
);
