-- What a sandbox reaches, as deliveries are compared with it: hashes of addresses, hosts and wildcards. Null: everybody.
alter table projects add column reached uuid[];
update projects set reached = array(
    select encode(substr(sha256(convert_to(lower(btrim(key)), 'UTF8')), 1, 16), 'hex')::uuid
    from jsonb_array_elements_text(document -> 'sandbox' -> 'allow') as k (key))
where jsonb_typeof(document -> 'sandbox' -> 'allow') = 'array';
