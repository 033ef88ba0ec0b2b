-- Why a destination is paused, in one word: what may take its place, and what releases it, goes by that alone.
-- What an earlier release paused is known by the words that it kept.
alter table paused_destinations add column kind text;
update paused_destinations
set kind = case when starts_with(reason, 'account ' || channel || '/') then 'account'
                when not by_answer and starts_with(reason, 'of its last ') then 'reputation'
                when starts_with(reason, 'retries exhausted after ') or starts_with(reason, 'nothing was taken for ')
                     then 'exhausted'
                when starts_with(reason, 'HTTP 410') then 'gone'
                else 'refused' end;
alter table paused_destinations alter column kind set not null, drop column by_answer,
    add constraint paused_destinations_kind check (kind in ('refused', 'gone', 'exhausted', 'account', 'reputation'));
