-- What people and keys changed: written in the transaction of the change, one chain of hashes a project, never changed.
create table audit_log (
    project_id text        not null,
    position   bigint      not null, -- in the project's chain, from 1, without gaps
    at         timestamptz not null,
    actor      text        not null, -- key:NAME, or the user of a command
    action     text        not null, -- a noun and a verb: schemas/audit.py has the closed list
    thing      text        not null, -- its id
    version    bigint,               -- of the thing after the change, where it counts them
    change     json        not null, -- as text, since it is hashed: jsonb would order it anew
    request_id text,                 -- null but over HTTP
    key_id     text,                 -- null but over HTTP: names of keys are used again
    address    text,                 -- null but over HTTP
    hash       bytea       not null, -- SHA-256 of the fields above and of the hash before
    primary key (project_id, position)
);
create index audit_log_things on audit_log (project_id, thing, position);
create index audit_log_actors on audit_log (project_id, actor, position);
create index audit_log_times on audit_log (project_id, at);

create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
begin
    raise exception 'audit_log is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
for each statement execute function refuse_change_of_audit_log();
-- also where a session says that it replicates
alter table audit_log enable always trigger audit_log_append_only;
