-- The events of a transaction are kept as one value, which whoever publishes them takes apart: as arrays each key and each
-- event was looked at one by one, here and in the process. What waits already stays as it is. Of new rows the arrays are
-- null, not empty, so that a process of an earlier release fails on them and does not pass them over.
alter table segment_outbox
    add column packed bytea, alter column partitions drop not null, alter column keys drop not null,
    alter column events drop not null;
alter table segment_outbox alter column packed set storage external; -- as the events before
