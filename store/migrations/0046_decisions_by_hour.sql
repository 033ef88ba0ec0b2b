-- What each distribution decided, by the hour: whoever looks for silence and surprises reads it.
create table decisions_by_hour (
    project_id      text        not null,
    distribution_id text        not null,
    hour            timestamptz not null,
    worker          text        not null, -- one run of a matcher: it writes its whole count again
    reason          text        not null, -- why it was skipped; empty: it was not
    decisions       bigint      not null,
    primary key (project_id, distribution_id, hour, worker, reason)
);
create index decisions_by_hour_old on decisions_by_hour (hour);

-- When each run of a matcher wrote last: what came after the last of them is not known yet.
create table decision_counters (
    worker     text        primary key,
    written_at timestamptz not null
);
