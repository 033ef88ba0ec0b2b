-- Accounts of projects at their providers. What is secret is encrypted before it comes here.
create table accounts (
    project_id text        not null,
    channel    text        not null,
    name       text        not null,
    state      text        not null check (state in ('active', 'paused', 'removed')),
    key_id     text,                 -- of the key that it is encrypted under
    content    bytea,                -- a nonce, and what is encrypted; nothing of a removed one
    version    bigint      not null, -- how often it has changed; rows stay, so that their sum only grows
    changed_at timestamptz not null,
    changed_by text        not null,
    primary key (project_id, channel, name),
    check ((state = 'removed') = (content is null) and (content is null) = (key_id is null))
);
