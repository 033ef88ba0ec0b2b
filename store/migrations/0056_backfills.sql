-- Backfills are sends as well: whom of their segment they go to, and when their distribution was set live.
alter table sends
    add column backfill text,                            -- null: sent by hand
    add column live_at  timestamptz,
    add column is_swept boolean not null default false;  -- those who entered meanwhile are being looked for, or were
create index sends_backfilled on sends (project_id, distribution_id) where backfill is not null;
