-- Campaigns: what a code is worth, and the exact counts of the pool, kept in the transaction that changes it.
create table campaigns (
    key           bigint generated always as identity primary key,
    project_id    text        not null,
    id            text        not null,
    version       bigint      not null,
    definition    jsonb       not null,
    next_position bigint      not null default 1, -- of the next code that is added
    head          bigint      not null default 1, -- no code below this position can be claimed
    total         bigint      not null default 0,
    published     bigint      not null default 0,
    inactive      bigint      not null default 0, -- unpublished codes that are switched off
    refilled_at   timestamptz,                    -- when codes were last added
    unique (project_id, id)
) with (fillfactor = 50);

-- Every version as it was applied, with the object that was sent; publications point at it.
create table campaign_versions (
    campaign_key bigint      not null references campaigns,
    version      bigint      not null,
    definition   jsonb       not null,
    object       text        not null,
    source       text        not null,
    applied_by   text        not null,
    applied_at   timestamptz not null,
    primary key (campaign_key, version)
);

-- The pool. A position is given under the campaign's row lock, so that the first imported is the first claimed.
create table codes (
    campaign_key    bigint      not null,
    position        bigint      not null,
    project_id      text        not null,
    code            text        not null,
    active          boolean     not null,
    start_date      timestamptz,
    expiration_date timestamptz,
    value           bigint, -- of a gift or loyalty card, where it is not the campaign's
    metadata        jsonb       not null default '{}',
    created_at      timestamptz not null,
    publication_id  text,
    primary key (campaign_key, position)
) with (fillfactor = 85);

create unique index codes_by_code on codes (project_id, code);
create index codes_unpublished_expiring on codes (campaign_key, expiration_date)
    where publication_id is null and active and expiration_date is not null;

-- One row a publication, with the objects as they were first sent.
create table publications (
    publication_id  text primary key,
    campaign_key    bigint      not null,
    version         bigint      not null,
    position        bigint      not null,
    customer_id     text        not null,
    distribution_id text        not null,
    event_id        text        not null,
    publication     text        not null,
    voucher         text        not null,
    created_at      timestamptz not null,
    unique (campaign_key, position)
);

create index publications_by_customer on publications (campaign_key, customer_id, position);
