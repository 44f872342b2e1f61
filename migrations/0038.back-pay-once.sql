-- Back pay pays once: what it took up of the queue, what claims have made good, and which crew members its runs have read.

alter table pay.retro_queue
  add column retro_id uuid,
  add constraint retro_queue_retro_fkey foreign key (enterprise_id, retro_id) references pay.retros (enterprise_id, id);
create index retro_queue_retro_id_idx on pay.retro_queue (enterprise_id, retro_id);
comment on column pay.retro_queue.retro_id is 'Back pay that took it up last; its approval settles it. Null: none has.';

alter table pay.pay_runs
  add column members_as_of timestamptz,
  add column rates_as_of timestamptz,
  add constraint pay_runs_of_back_pay_read_members_of_the_books
    check (num_nulls(members_as_of, rates_as_of) in (0, 2) and (members_as_of is null or kind = 'RETRO'));
comment on column pay.pay_runs.members_as_of is 'Of back pay: position, base and employment on record at this time were used; null: as of as_of.';
comment on column pay.pay_runs.rates_as_of is 'Of back pay: hourly rates of crew members on record at this time were used; null: as of as_of.';

alter table pay.retro_items drop constraint retro_items_cause_is_known;
alter table pay.retro_items add constraint retro_items_cause_is_known
  check (cause in ('fact', 'rate', 'term', 'rule graph', 'override', 'made good', 'engine'));
comment on column pay.retro_items.cause is
  'What made the difference: fact, rate, term, rule graph, override; made good: what claims and adjustments of the period have paid already; engine: none of them.';
