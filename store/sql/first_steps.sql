-- name: first_steps
-- What a project has of everything that its first message needs; $2 is a distribution of it, or null.
select exists (select from accounts where project_id = $1 and state <> 'removed') as has_account,
       exists (select from named_templates where project_id = $1 and deleted_at is null) as has_template,
       exists (select from segment_customers where project_id = $1) as has_customer,
       exists (select from audit_log where project_id = $1 and thing = $2 and action = 'distribution.tested')
           as has_tested,
       exists (select from deliveries where project_id = $1) as has_message;

-- name: new_projects
-- Of some projects those without a message, and without a distribution that is older than a week: messages go by.
select p.project_id from unnest($1::text[]) as p (project_id)
where not exists (select from distribution_versions v
                  where v.project_id = p.project_id and v.applied_at < now() - interval '7 days')
  and (select d.project_id from deliveries d where d.project_id = p.project_id limit 1) is null -- the first one, not all
order by 1;
