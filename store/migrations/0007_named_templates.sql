-- Templates that are kept under a name: the newest version of each. A deleted one keeps its versions, and counts on from
-- them where it comes back.
create table named_templates (
    project_id text        not null,
    name       text        not null,
    version    bigint      not null,
    deleted_at timestamptz,
    primary key (project_id, name)
);

-- Every version as it was applied: the files as written, and what they make.
create table named_template_versions (
    project_id text        not null,
    name       text        not null,
    version    bigint      not null,
    definition jsonb       not null,
    applied_by text        not null,
    applied_at timestamptz not null,
    primary key (project_id, name, version),
    foreign key (project_id, name) references named_templates
);
