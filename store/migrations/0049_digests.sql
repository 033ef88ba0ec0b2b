-- Events that are gathered into one message, each a row. Those of a digest that are not closed yet have the same moment; all
-- are closed at once, before any of them is released: what comes later belongs to the next.
alter table holds
    add column digest_id   text,        -- of a distribution, a customer and a value; null for what waits by itself
    add column happened_at timestamptz, -- when the event did: the oldest one leads
    add column first_until timestamptz, -- it went alone, and what follows is gathered until then
    add column closed_as   text;        -- the hold_id of the event that leads
create index holds_gathering on holds (project_id, digest_id) where digest_id is not null;
create index holds_closing on holds (until_at) where ended_at is null and digest_id is not null and closed_as is null;
create index holds_closed on holds (project_id, closed_as) where ended_at is null and closed_as is not null;
