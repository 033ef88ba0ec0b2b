-- What belongs to a project, as its document says it; of the default project the settings say it.
create table projects (
    project_id text        primary key,
    version    bigint      not null,
    document   jsonb       not null,
    source     text        not null, -- as written
    applied_by text        not null,
    applied_at timestamptz not null
);
