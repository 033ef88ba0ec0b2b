-- All that is kept of one customer ($2) of a project ($1): a block a section, as `store/customer_data.py` lists them.

-- name: erasures
-- The moment of the last tombstone, where there was one.
select erased_at from erased_customers where project_id = $1 and customer_id = $2;

-- name: profiles
-- The profile as segments judge it, and when they look again because time passes.
select profile, due_at from segment_customers where project_id = $1 and customer_id = $2;

-- name: consents
-- The categories that the last profile gives.
select given, changed_at from consents where project_id = $1 and customer_id = $2;

-- name: choices
-- The last choice with us about each category.
select category, given, chosen_at, way, delivery_id, taken_over_at
from consent_choices where project_id = $1 and customer_id = $2 order by category;

-- name: segments
-- Segments that the customer is in, was in, or cannot be judged by.
select segment_id, is_member, since, null as cannot_judge
from segment_memberships where project_id = $1 and customer_id = $2
union all
select segment_id, false, null, reason from segment_unjudged where project_id = $1 and customer_id = $2
order by 1, 4;

-- name: behaviours
-- What was counted of the customer's events.
select r.key, b.topic, r.record
from segment_records r join segment_behaviours b using (project_id, key)
where r.project_id = $1 and r.customer_id = $2 order by r.key;

-- name: deliveries
-- The ledger's, with what was sent, attempts, and what people did to them.
select delivery_id, distribution_id, distribution_version, event_id, channel, destination, through, state, reason, detail,
       provider_id, attempts, arrived_at, created_at, due_at, settled_at, expires_at, erased, tries, actions, record
from deliveries where project_id = $1 and customer_id = $2 order by created_at, delivery_id;

-- name: reports
-- What providers told of them later.
select e.delivery_id, e.outcome, e.recorded_at
from deliveries d join status_events e using (project_id, delivery_id)
where d.project_id = $1 and d.customer_id = $2 order by e.recorded_at, e.delivery_id, e.outcome;

-- name: reach
-- How far messages came that others would have followed.
select r.delivery_id, (array['delivered', 'opened', 'clicked'])[r.reached] as reached, r.reached_at
from deliveries d join delivery_reach r using (project_id, delivery_id)
where d.project_id = $1 and d.customer_id = $2 order by r.reached_at, r.delivery_id;

-- name: decisions
-- Recorded ones.
select decision_id, distribution_id, distribution_version, distribution_name, event_id, event_type, event_at, send_id,
       outcome, reason, detail, arm, channel, delivery_id, until_at, due_at, checks, decided_at
from recorded_decisions where project_id = $1 and customer_id = $2 order by event_at, decision_id;

-- name: ends
-- Recorded ends of deliveries, and reports of them.
select delivery_id, outcome, occurred_at, distribution_id, distribution_version, distribution_name, event_id, event_type,
       event_at, send_id, channel, account, type, reason, detail, provider_id, attempts
from recorded_statuses where project_id = $1 and customer_id = $2 order by occurred_at, delivery_id, outcome;

-- name: purchases
-- Orders and redemptions that were recorded, and the delivery that gave the code which was redeemed.
select event_id, event_at, kind, subject_id, amount, currency, delivery_id, sent_at, distribution_id, distribution_version,
       channel, arm
from recorded_purchases where project_id = $1 and customer_id = $2 order by event_at, event_id;

-- name: holds
-- What waits for a moment, or did, with its event while it waits.
select hold_id, round, distribution_id, reason, nullif(until_at, 'infinity') as until_at, arrived_at, held_at, ended_at,
       canceled_by, send_id, digest_id, record
from holds where project_id = $1 and customer_id = $2 order by held_at, hold_id, round;

-- name: requests
-- What waits for a code: the table has no column of the customer.
select publication_id, campaign_id, held_at, tried_at, request
from held_requests
where project_id = $1 and convert_from(request, 'UTF8')::json ->> 'customer_id' = $2 order by held_at, publication_id;

-- name: codes
-- Codes that the customer was given.
select p.publication_id, c.id as campaign_id, k.code, k.start_date, k.expiration_date, k.value, k.metadata, p.channel,
       p.distribution_id, p.event_id, p.created_at as published_at, p.customer
from campaigns c join publications p on p.campaign_key = c.key
join codes k on k.campaign_key = p.campaign_key and k.position = p.position
where c.project_id = $1 and p.customer_id = $2 order by p.created_at, p.publication_id;

-- name: sends
-- Sends by hand that the customer is on the list of, or was decided about in.
select s.send_id, s.distribution_id, s.status, s.segment_id, m.customer_id is not null as is_listed, s.created_by,
       s.created_at, s.started_at, s.ended_at
from sends s left join send_members m on m.project_id = s.project_id and m.send_id = s.send_id and m.customer_id = $2
where s.project_id = $1
  and (m.customer_id is not null
       or s.send_id in (select send_id from recorded_decisions where project_id = $1 and customer_id = $2
                        union select send_id from open_deliveries where project_id = $1 and customer_id = $2
                        union select send_id from ended_deliveries where project_id = $1 and customer_id = $2))
order by s.created_at, s.send_id;

-- name: calls
-- Calls of endpoints about the customer, as far as their log goes back.
select endpoint, delivery_id, attempt, at, duration_ms, outcome, detail, request, reply
from endpoint_calls where project_id = $1 and customer_id = $2 order by at, id;

-- name: suppressions
-- The entries of the customer's own addresses, by their hashes ($2), not those of whole domains.
select channel, key, reason, source, expires_at, added_at, added_by
from suppressions where project_id = $1 and key_hash = any($2::uuid[]) order by key, channel;

-- name: bounces
-- Soft bounces of these addresses ($2) since something was last taken there.
select channel, bounces, first_at, last_at
from soft_bounces where project_id = $1 and key_hash = any($2::uuid[]) order by channel, first_at;

-- name: audit
-- Rows that name the customer: as what was changed, or as what was chosen.
select position, at, actor, action, version, change
from audit_log
where project_id = $1
  and (thing = $2 and starts_with(action, 'customer.') or change #>> '{chosen,customer}' = $2)
order by position;
