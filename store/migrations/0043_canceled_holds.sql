-- Who ended a send that waited, before its moment: it comes due at once, and is decided as canceled. Both stay when it is
-- over.
alter table holds add column canceled_by text, add column canceled_at timestamptz;
