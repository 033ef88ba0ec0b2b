-- Requests for a code whose campaign had none and whose distribution waits for more.
create table held_requests (
    publication_id text        primary key,
    project_id     text        not null,
    campaign_id    text        not null,
    partition      integer     not null, -- of publications.requests, and so of the customer everywhere
    request        bytea       not null, -- JSON
    held_at        timestamptz not null,
    tried_at       timestamptz not null
);
create index held_requests_tried on held_requests (tried_at, held_at);
