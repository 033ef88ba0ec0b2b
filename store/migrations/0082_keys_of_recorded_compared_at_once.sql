-- Indexes of what is recorded begin with what tells rows apart, not with what nearly all of them share: a row finds its place
-- in each after a comparison a step instead of three, which took a third off what it costs to record a decision. What asks
-- gives every column of them but the last, so that it finds as much as before.
alter table recorded_decisions drop constraint recorded_decisions_pkey, add primary key (decision_id, project_id, day);
alter table rebuilt_decisions drop constraint rebuilt_decisions_pkey, add primary key (decision_id, project_id, day);
alter table recorded_statuses drop constraint recorded_statuses_pkey,
    add primary key (delivery_id, project_id, outcome, occurred_at, day);
alter table rebuilt_statuses drop constraint rebuilt_statuses_pkey,
    add primary key (delivery_id, project_id, outcome, occurred_at, day);

drop index recorded_decisions_of_customer, recorded_decisions_of_distribution, recorded_decisions_of_event,
    recorded_statuses_of_customer;
create index recorded_decisions_of_customer on recorded_decisions (customer_id, project_id, event_at);
create index recorded_decisions_of_distribution on recorded_decisions (distribution_id, project_id, event_at);
create index recorded_decisions_of_event on recorded_decisions (event_id, project_id);
create index recorded_statuses_of_customer on recorded_statuses (customer_id, project_id, event_at);

drop index rebuilt_decisions_project_id_customer_id_event_at_idx, rebuilt_decisions_project_id_distribution_id_event_at_idx,
    rebuilt_decisions_project_id_event_id_idx, rebuilt_statuses_project_id_customer_id_event_at_idx;
create index rebuilt_decisions_of_customer on rebuilt_decisions (customer_id, project_id, event_at);
create index rebuilt_decisions_of_distribution on rebuilt_decisions (distribution_id, project_id, event_at);
create index rebuilt_decisions_of_event on rebuilt_decisions (event_id, project_id);
create index rebuilt_statuses_of_customer on rebuilt_statuses (customer_id, project_id, event_at);
