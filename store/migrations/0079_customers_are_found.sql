-- Customers are found by more than their id. The keys are made of the profile by whoever writes it
-- (schemas/formats/search_keys.py), so that indexes change only where one of them does.
alter table segment_customers
    add column source_id   text collate "C",
    add column email_key   text collate "C", -- without case and accents, as the names
    add column phone_key   text collate "C", -- digits from the last to the first
    add column name_key    text collate "C",
    add column turned_name_key text collate "C"; -- the last word in front

-- Of those that are there, as far as SQL can say it; what jsonb refuses is found once the profile comes again.
create function customer_text(profile bytea, field text) returns text language plpgsql immutable as $$
begin
    return left(nullif(convert_from(profile, 'UTF8')::json ->> field, ''), 200);
exception when others then
    return null;
end
$$;
update segment_customers c
set source_id = customer_text(profile, 'source_id'), email_key = lower(customer_text(profile, 'email')),
    phone_key = nullif(reverse(ltrim(regexp_replace(customer_text(profile, 'phone'), '\D', '', 'g'), '0')), ''),
    name_key = lower(customer_text(profile, 'name')),
    turned_name_key = lower(regexp_replace(customer_text(profile, 'name'), '^(.*\S)\s+(\S+)$', '\2 \1'));
drop function customer_text;

create index segment_customers_by_source_id on segment_customers (project_id, source_id) where source_id is not null;
create index segment_customers_by_email on segment_customers (project_id, email_key) where email_key is not null;
create index segment_customers_by_phone on segment_customers (project_id, phone_key) where phone_key is not null;
create index segment_customers_by_name on segment_customers (project_id, name_key) where name_key is not null;
create index segment_customers_by_turned_name on segment_customers (project_id, turned_name_key)
    where turned_name_key is not null;
