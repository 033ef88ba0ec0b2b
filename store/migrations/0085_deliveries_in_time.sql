-- Lists of deliveries ask for the newest of a project, of one of its distributions, and of what failed: without an index
-- each such page read the whole ledger. The four cost some 2 % of what a delivery costs Postgres.
create index open_deliveries_in_time on open_deliveries (project_id, created_at);
create index ended_deliveries_in_time on ended_deliveries (project_id, created_at);
create index ended_deliveries_of_distribution on ended_deliveries (project_id, distribution_id, created_at);
create index ended_deliveries_failed_in_time on ended_deliveries (project_id, created_at) where state = 'failed';
