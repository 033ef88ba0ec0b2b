-- Files that e-mails bring along, as they were when their distribution was applied: by content, so that a retry or a replay
-- attaches exactly what was decided.
create table attached_files (
    digest     text        primary key, -- SHA-256 of the data, hex
    data       bytea       not null,
    created_at timestamptz not null     -- when it was applied last
);
alter table attached_files alter column data set storage external; -- most are compressed already
