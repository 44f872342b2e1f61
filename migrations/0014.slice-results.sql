-- Results of the slices of a run in progress, until the session that coordinates it takes them over. Unlogged and without the keys
-- and checks that pay_calculations has: a server that crashed has lost the run anyway, and every row is checked when it is taken over.

create unlogged table pay.slice_results (
  enterprise_id uuid not null,
  run_id uuid not null,
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  id uuid not null,
  flight_pay_hours numeric(8, 2) not null,
  flight_pay_amount numeric(10, 2) not null,
  overtime_hours numeric(8, 2) not null,
  overtime_amount numeric(10, 2) not null,
  delay_pay_amount numeric(10, 2) not null,
  per_diem_amount numeric(10, 2) not null,
  premium_pay_amount numeric(10, 2) not null,
  guarantee_hours numeric(8, 2),
  guarantee_amount numeric(10, 2) not null,
  adjustment_amount numeric(10, 2) not null,
  total_gross_pay numeric(10, 2) not null,
  calculation_date timestamptz not null,
  ruleset_id uuid not null,
  line_term smallint[] not null,
  line_node bigint[] not null,
  line_quantity numeric[] not null,
  line_cents integer[] not null,
  constraint slice_results_pkey primary key (enterprise_id, run_id, crew_member_id)
);
comment on table pay.slice_results is 'Results computed by the workers of a run in progress, visible to nobody; empty again once the run is published.';
comment on column pay.slice_results.enterprise_id is 'Tenant.';
comment on column pay.slice_results.run_id is 'Run in progress.';
comment on column pay.slice_results.crew_member_id is 'Who is paid.';
comment on column pay.slice_results.pay_period_id is 'As in pay_calculations.';
comment on column pay.slice_results.id is 'Key it will have in pay_calculations.';
comment on column pay.slice_results.flight_pay_hours is 'As in pay_calculations.';
comment on column pay.slice_results.flight_pay_amount is 'As in pay_calculations.';
comment on column pay.slice_results.overtime_hours is 'As in pay_calculations.';
comment on column pay.slice_results.overtime_amount is 'As in pay_calculations.';
comment on column pay.slice_results.delay_pay_amount is 'As in pay_calculations.';
comment on column pay.slice_results.per_diem_amount is 'As in pay_calculations.';
comment on column pay.slice_results.premium_pay_amount is 'As in pay_calculations.';
comment on column pay.slice_results.guarantee_hours is 'As in pay_calculations.';
comment on column pay.slice_results.guarantee_amount is 'As in pay_calculations.';
comment on column pay.slice_results.adjustment_amount is 'As in pay_calculations.';
comment on column pay.slice_results.total_gross_pay is 'As in pay_calculations.';
comment on column pay.slice_results.calculation_date is 'As in pay_calculations.';
comment on column pay.slice_results.ruleset_id is 'As in pay_calculations.';
comment on column pay.slice_results.line_term is 'As in pay_calculations.';
comment on column pay.slice_results.line_node is 'As in pay_calculations.';
comment on column pay.slice_results.line_quantity is 'As in pay_calculations.';
comment on column pay.slice_results.line_cents is 'As in pay_calculations.';

alter table pay.slice_results enable row level security;
alter table pay.slice_results force row level security;
create policy owner_all on pay.slice_results to crewpay_owner using (true) with check (true);

-- A result's crew member, period, run and ruleset each name the tenant: a key of its own says nothing more, and is checked for every row.
alter table pay.pay_calculations drop constraint pay_calculations_enterprise_id_fkey;

-- Slices are of the groups of positions now.
drop function if exists pay.slice_tokens(pay.pay_periods, integer, integer);
