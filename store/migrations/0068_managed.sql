-- What is managed from Git: applied from a folder by `tidings apply`, and changed elsewhere only where somebody insists.
create table managed (
    project_id   text        not null,
    kind         text        not null, -- campaign, segment, template or distribution
    thing        text        not null, -- its id or name
    source       text        not null, -- the repository and folder, or what --source said
    revision     text,                 -- the commit, where there was one
    content_hash text        not null, -- of what the folder said
    version      bigint      not null, -- the one that there was after that
    applied_by   text        not null,
    applied_at   timestamptz not null,
    primary key (project_id, kind, thing)
);
