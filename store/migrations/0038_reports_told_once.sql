-- Which reports an end was told by: the same read again after its message was sent again tells nothing new.
alter table status_events add column reports uuid[] not null default '{}';
