-- The version of a campaign whose pattern has given all its codes; another version may have another pattern.
alter table campaigns add column exhausted_version bigint;
