-- When the event of a request reached Kafka: a tombstone of its customer counts for what came before it. Null: kept by a
-- release that did not say; then when it was kept.
alter table held_requests add column arrived_at timestamptz;
