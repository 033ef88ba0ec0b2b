-- What waits of a manual send outside the ledger: until a moment, or for a code. So a send is not over before that is.
alter table holds add column send_id text;
create index holds_of_sends on holds (project_id, send_id) where ended_at is null and send_id is not null;
alter table held_requests add column send_id text;
create index held_requests_of_sends on held_requests (project_id, send_id) where send_id is not null;
