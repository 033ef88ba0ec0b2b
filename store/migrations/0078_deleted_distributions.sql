-- Distributions that were deleted before they ever sent, for as long as they can be brought back.
create table deleted_distributions (
    project_id      text        not null,
    distribution_id text        not null,
    version         bigint      not null, -- the newest
    definition      jsonb       not null, -- of the newest
    versions        jsonb       not null, -- rows of distribution_versions
    deleted_by      text        not null,
    deleted_at      timestamptz not null default now(),
    primary key (project_id, distribution_id)
);
create index deleted_distributions_by_time on deleted_distributions (deleted_at);
