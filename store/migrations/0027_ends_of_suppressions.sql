-- Entries that end, by when: what is over is dropped in batches.
create index suppressions_by_end on suppressions (expires_at) where expires_at is not null;
