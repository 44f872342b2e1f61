-- What a verified run used.

create type pay.used_ruleset as (group_no integer, ruleset_id uuid, ruleset_hash text);
comment on type pay.used_ruleset is 'A group of positions of a run and the ruleset it was paid under; ruleset_id null: none is known.';
