-- What proves to an OpenID provider whose session ends, when somebody signs out who has signed in by it.
alter table sessions add column provider_hint text; -- the ID token; empty: too long to be kept; null: began otherwise
