-- Files of customers are handed in as those of codes are, and what is wrong with a line says where, and what is allowed.
alter table code_imports rename to imports;
alter table code_import_parts rename to import_parts;
alter index code_imports_at_work rename to imports_at_work;
alter index code_imports_newest rename to imports_newest;
alter table imports
    alter column campaign_id drop not null,
    add column kind text not null default 'codes' check (kind in ('codes', 'customers')),
    add column form text not null default 'csv' check (form in ('csv', 'ndjson')),
    add column skip_wrong boolean not null default false, -- lines that are wrong are left out, and the others added
    add column wrong bigint not null default 0,           -- of its rows
    add column erased bigint not null default 0;          -- customers who were erased since it was handed in
alter table imports alter column kind drop default, alter column form drop default, alter column skip_wrong drop default;
update imports
set problems = (select coalesce(json_agg(json_build_object('detail', said)), '[]')::text
                from json_array_elements_text(problems::json) as said)
where problems <> '[]';
create index imports_ended on imports (ended_at) where ended_at is not null;
