-- The senders that are at work, each of which writes its row once a second: they share what may be under way to a
-- destination that has no limit of its own. Rows of those that are gone are removed by others.
create table senders (
    owner   text        primary key,
    seen_at timestamptz not null
) with (fillfactor = 50);
