alter table pay.retro_items drop constraint retro_items_cause_is_known;
alter table pay.retro_items add constraint retro_items_cause_is_known
  check (cause in ('fact', 'rate', 'term', 'rule graph', 'override', 'engine'));
comment on column pay.retro_items.cause is 'What made the difference: fact, rate, term, rule graph; engine: none of them.';
alter table pay.pay_runs
  drop constraint pay_runs_of_back_pay_read_members_of_the_books,
  drop column rates_as_of,
  drop column members_as_of;
drop index pay.retro_queue_retro_id_idx;
alter table pay.retro_queue drop column retro_id;
