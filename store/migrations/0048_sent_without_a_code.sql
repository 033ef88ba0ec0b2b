-- Requests that were answered without a code (`when_empty: send_without`), and the events that asked: what asks again for the
-- same send gets no code after a refill either.
create table sent_without_code (
    publication_id text        primary key,
    project_id     text        not null,
    event_id       text        not null,
    sent_at        timestamptz not null
);
