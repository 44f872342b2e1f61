alter table pay.retro_items drop constraint retro_items_cause_is_known;
alter table pay.retro_items add constraint retro_items_cause_is_known
  check (cause in ('fact', 'rate', 'term', 'rule graph', 'engine')) not valid;
drop table pay.overrides;
drop type pay.override_state;
