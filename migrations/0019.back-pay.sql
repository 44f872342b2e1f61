-- Back pay: closed periods computed again by what is known now, what came of it, and plans to recover what was paid too much.

create type pay.retro_state as enum ('PROPOSED', 'APPROVED', 'DENIED', 'WITHDRAWN', 'NOTHING_OWED');
create type pay.recovery_state as enum ('PROPOSED', 'APPROVED', 'DENIED', 'WITHDRAWN');
comment on type pay.retro_state is 'PROPOSED → APPROVED by a second person, DENIED, WITHDRAWN by who asked; NOTHING_OWED when nothing differs.';
comment on type pay.recovery_state is 'PROPOSED → APPROVED by a second person, in instalments; DENIED: what was paid too much stays paid.';

create table pay.retros (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  retro_no bigint generated always as identity,
  periods uuid[] not null,
  reason text not null,
  with_rates boolean not null,
  state pay.retro_state not null default 'PROPOSED',
  requested_by varchar(100) not null,
  requested_by_person uuid not null,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  pay_period_id uuid,
  constraint retros_pkey primary key (enterprise_id, id),
  constraint retros_retro_no_key unique (enterprise_id, retro_no),
  constraint retros_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint retros_have_a_reason check (reason <> ''),
  constraint retros_are_of_some_period check (cardinality(periods) > 0),
  constraint retros_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint retros_approved_into_a_period check (num_nonnulls(approved_by, approved_at, pay_period_id) = case state when 'APPROVED' then 3 else 0 end)
);
create index retros_pay_period_id_idx on pay.retros (enterprise_id, pay_period_id);
comment on table pay.retros is 'Back pay: closed periods computed again, proposed by one person, paid when a second one approves.';
comment on column pay.retros.enterprise_id is 'Tenant.';
comment on column pay.retros.id is 'Back pay.';
comment on column pay.retros.retro_no is 'Short number.';
comment on column pay.retros.periods is 'Closed periods that were computed again.';
comment on column pay.retros.reason is 'Why.';
comment on column pay.retros.with_rates is 'Whether hourly rates of crew members were taken as they are now; else as the period was paid.';
comment on column pay.retros.state is 'Where it stands.';
comment on column pay.retros.requested_by is 'Login that asked.';
comment on column pay.retros.requested_by_person is 'Person who asked.';
comment on column pay.retros.requested_at is 'When.';
comment on column pay.retros.approved_by is 'Login that approved.';
comment on column pay.retros.approved_by_person is 'Person who approved; never who asked.';
comment on column pay.retros.approved_at is 'When it was approved.';
comment on column pay.retros.pay_period_id is 'Open period that pays it.';

create table pay.retro_results (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  retro_id uuid not null,
  pay_period_id uuid not null,
  crew_member_id uuid not null,
  run_id uuid not null,
  books_run_id uuid,
  amount numeric(10, 2) not null,
  constraint retro_results_pkey primary key (enterprise_id, id),
  constraint retro_results_once_key unique (enterprise_id, retro_id, pay_period_id, crew_member_id),
  constraint retro_results_retro_fkey foreign key (enterprise_id, retro_id) references pay.retros (enterprise_id, id),
  constraint retro_results_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint retro_results_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint retro_results_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint retro_results_books_run_fkey foreign key (enterprise_id, books_run_id) references pay.pay_runs (enterprise_id, id)
);
create index retro_results_pay_period_id_idx on pay.retro_results (enterprise_id, pay_period_id, crew_member_id);
create index retro_results_crew_member_id_idx on pay.retro_results (enterprise_id, crew_member_id);
create index retro_results_run_id_idx on pay.retro_results (enterprise_id, run_id);
create index retro_results_books_run_id_idx on pay.retro_results (enterprise_id, books_run_id);
comment on table pay.retro_results is 'What a crew member is owed for a closed period, or was paid too much: computed again, less the books, less earlier back pay.';
comment on column pay.retro_results.enterprise_id is 'Tenant.';
comment on column pay.retro_results.id is 'Key; source_id of the adjustment or recovery that settles it.';
comment on column pay.retro_results.retro_id is 'Back pay that it is part of.';
comment on column pay.retro_results.pay_period_id is 'Closed period.';
comment on column pay.retro_results.crew_member_id is 'Who.';
comment on column pay.retro_results.run_id is 'RETRO run with the result computed again.';
comment on column pay.retro_results.books_run_id is 'Run whose result the books hold; null: they hold none.';
comment on column pay.retro_results.amount is 'Owed; negative: paid too much.';

create table pay.retro_items (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  retro_result_id uuid not null,
  component pay.component not null,
  cause text not null,
  amount numeric(10, 2) not null,
  constraint retro_items_pkey primary key (enterprise_id, id),
  constraint retro_items_once_key unique (enterprise_id, retro_result_id, component, cause),
  constraint retro_items_retro_result_fkey foreign key (enterprise_id, retro_result_id) references pay.retro_results (enterprise_id, id),
  constraint retro_items_are_of_something check (amount <> 0),
  constraint retro_items_cause_is_known check (cause in ('fact', 'rate', 'term', 'rule graph', 'engine'))
);
comment on table pay.retro_items is 'The amount of a back pay by component and cause.';
comment on column pay.retro_items.enterprise_id is 'Tenant.';
comment on column pay.retro_items.id is 'Key.';
comment on column pay.retro_items.retro_result_id is 'Crew member and period.';
comment on column pay.retro_items.component is 'Component of pay.';
comment on column pay.retro_items.cause is 'What made the difference: fact, rate, term, rule graph; engine: none of them.';
comment on column pay.retro_items.amount is 'Owed; negative: paid too much.';

create table pay.recoveries (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  retro_result_id uuid not null,
  crew_member_id uuid not null,
  amount numeric(10, 2) not null,
  instalments smallint not null,
  state pay.recovery_state not null default 'PROPOSED',
  requested_by varchar(100) not null,
  requested_by_person uuid not null,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  constraint recoveries_pkey primary key (enterprise_id, id),
  constraint recoveries_once_key unique (enterprise_id, retro_result_id),
  constraint recoveries_retro_result_fkey foreign key (enterprise_id, retro_result_id) references pay.retro_results (enterprise_id, id),
  constraint recoveries_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint recoveries_are_of_something check (amount > 0),
  constraint recoveries_in_instalments check (instalments between 1 and 60),
  constraint recoveries_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint recoveries_approved check ((approved_at is not null) = (state = 'APPROVED'))
);
create index recoveries_crew_member_id_idx on pay.recoveries (enterprise_id, crew_member_id);
comment on table pay.recoveries is 'Plans to recover what was paid too much, in instalments; nothing is taken back before a second person approves.';
comment on column pay.recoveries.enterprise_id is 'Tenant.';
comment on column pay.recoveries.id is 'Recovery.';
comment on column pay.recoveries.retro_result_id is 'Back pay that found it.';
comment on column pay.recoveries.crew_member_id is 'From whom.';
comment on column pay.recoveries.amount is 'How much in all.';
comment on column pay.recoveries.instalments is 'In how many instalments, as proposed or approved.';
comment on column pay.recoveries.state is 'Where it stands.';
comment on column pay.recoveries.requested_by is 'Login that asked for the back pay.';
comment on column pay.recoveries.requested_by_person is 'Person who asked.';
comment on column pay.recoveries.requested_at is 'When it was proposed.';
comment on column pay.recoveries.approved_by is 'Login that approved the plan.';
comment on column pay.recoveries.approved_by_person is 'Person who approved it; never who asked.';
comment on column pay.recoveries.approved_at is 'When.';

create table pay.recovery_instalments (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  recovery_id uuid not null,
  instalment_no smallint not null,
  pay_period_id uuid not null,
  amount numeric(10, 2) not null,
  constraint recovery_instalments_pkey primary key (enterprise_id, id),
  constraint recovery_instalments_once_key unique (enterprise_id, recovery_id, instalment_no),
  constraint recovery_instalments_recovery_fkey foreign key (enterprise_id, recovery_id) references pay.recoveries (enterprise_id, id),
  constraint recovery_instalments_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint recovery_instalments_take_something check (amount > 0)
);
create index recovery_instalments_pay_period_id_idx on pay.recovery_instalments (enterprise_id, pay_period_id);
comment on table pay.recovery_instalments is 'Instalments of approved recoveries; each is an adjustment of its period.';
comment on column pay.recovery_instalments.enterprise_id is 'Tenant.';
comment on column pay.recovery_instalments.id is 'Key; source_id of the adjustment.';
comment on column pay.recovery_instalments.recovery_id is 'Recovery.';
comment on column pay.recovery_instalments.instalment_no is 'Number, from 1.';
comment on column pay.recovery_instalments.pay_period_id is 'Period that it was planned for.';
comment on column pay.recovery_instalments.amount is 'Taken back.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'pay.retros', 'pay.retro_results', 'pay.retro_items', 'pay.recoveries', 'pay.recovery_instalments']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
