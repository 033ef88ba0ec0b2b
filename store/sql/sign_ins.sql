-- name: wait
-- How long whoever has failed so often waits after the last time: twice as long each time, up to a limit.
case when a.failures < $3 or a.last_at < clock_timestamp() - interval '1 day' then interval '0'
     else least($4::interval, interval '1 second' * power(2, least(a.failures - $3, 20))) end

-- name: count_attempt
-- One more attempt, counted as a failure until it is forgiven, so that many at once are counted as well. No row: it has
-- to wait.
insert into sign_in_attempts as a (kind, key, failures, last_at) values ($1, $2, 1, clock_timestamp())
on conflict (kind, key) do update
set failures = case when a.last_at < clock_timestamp() - interval '1 day' then 1 else a.failures + 1 end,
    last_at = clock_timestamp()
where a.last_at + :wait <= clock_timestamp()
returning failures;

-- name: forget
-- Forgets attempts of earlier days, in a transaction of its own, which waits for nobody.
delete from sign_in_attempts where ctid = any(array(
    select ctid from sign_in_attempts where last_at < now() - interval '2 days' limit 100 for update skip locked
));

-- name: seconds_left
-- How long it has to wait still.
select ceil(extract(epoch from a.last_at + :wait - clock_timestamp()))::int
from sign_in_attempts a where a.kind = $1 and a.key = $2;

-- name: forgive
-- An attempt was right: what failed before at this network is forgotten.
delete from sign_in_attempts where kind = $1 and key = $2;

-- name: uncount
-- An attempt was right: it is no failure of the network, nor of the account.
update sign_in_attempts set failures = greatest(0, failures - 1) where kind = $1 and key = $2;

-- name: is_known
-- True where this account was signed in to from this network before.
select exists (
    select from sign_in_networks n join users u on u.user_id = n.user_id
    where u.email_key = $1 and n.network = $2 and n.last_at > now() - interval '90 days'
);
