-- Pay periods, runs and results. Source: the Avelo document, tables 4 and 5.
-- A result row carries its lines as parallel arrays (measured: writing ten times faster than a row per line, a sixth of the WAL);
-- pay.pay_lines is the view that everybody reads.

-- Frozen: stored rows are checked with it.
create function pay.cents_total(p_cents integer[]) returns bigint
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
return (select coalesce(sum(c), 0)::bigint from unnest(p_cents) as c);
comment on function pay.cents_total(integer[]) is 'Sum of line amounts in cents. Frozen: a CHECK constraint of stored results depends on it.';

create table pay.pay_periods (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  start_date date not null,
  end_date date not null,
  pay_date date,
  status pay.pay_period_status not null default 'OPEN',
  contract_month date not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint pay_periods_pkey primary key (enterprise_id, id),
  constraint pay_periods_end_after_start check (end_date >= start_date),
  constraint pay_periods_paid_after_start check (pay_date >= start_date),
  constraint pay_periods_month_starts_on_the_first check (extract(day from contract_month) = 1),
  constraint pay_periods_lie_inside_their_month check (
    start_date >= contract_month and end_date < (contract_month + interval '1 month')::date),
  constraint pay_periods_do_not_overlap exclude using gist
    (enterprise_id with =, daterange(start_date, end_date, '[]') with &&)
);
create index pay_periods_start_date_end_date_idx on pay.pay_periods (enterprise_id, start_date, end_date);
create index pay_periods_status_idx on pay.pay_periods (enterprise_id, status);
comment on table pay.pay_periods is 'Payroll cycles; each lies inside one contract month, and one month can hold several.';
comment on column pay.pay_periods.enterprise_id is 'Tenant.';
comment on column pay.pay_periods.id is 'Pay period.';
comment on column pay.pay_periods.start_date is 'First day (base clock).';
comment on column pay.pay_periods.end_date is 'Last day, inclusive.';
comment on column pay.pay_periods.pay_date is 'Day the money is paid.';
comment on column pay.pay_periods.status is 'OPEN → PROCESSING → CLOSED → PAID.';
comment on column pay.pay_periods.contract_month is 'First day of the month in which guarantee and overtime are counted.';
comment on column pay.pay_periods.created_at is 'When the row was made.';
comment on column pay.pay_periods.updated_at is 'When the row last changed.';

create table pay.pay_runs (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  pay_period_id uuid not null,
  kind pay.run_kind not null default 'REGULAR',
  state pay.run_state not null default 'building',
  whole_period boolean not null,
  as_of timestamptz not null default now(),
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  crew_count integer,
  leg_count integer,
  line_count integer,
  finding_count integer,
  total_amount numeric(14, 2),
  result_hash text,
  input_hash text,
  engine_version text not null,
  time_zone_version text,
  requested_by varchar(100) not null,
  requested_by_person uuid,
  constraint pay_runs_pkey primary key (enterprise_id, id),
  constraint pay_runs_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint pay_runs_published_are_counted check (
    state = 'building' or num_nulls(finished_at, crew_count, line_count, total_amount, result_hash) = 0 or state = 'failed')
);
create unique index pay_runs_published_key on pay.pay_runs (enterprise_id, pay_period_id)
  where kind = 'REGULAR' and state = 'published' and whole_period;
create index pay_runs_pay_period_id_idx on pay.pay_runs (enterprise_id, pay_period_id, started_at);
comment on table pay.pay_runs is 'Executions of the engine.';
comment on column pay.pay_runs.enterprise_id is 'Tenant.';
comment on column pay.pay_runs.id is 'Run.';
comment on column pay.pay_runs.pay_period_id is 'Period computed.';
comment on column pay.pay_runs.kind is 'REGULAR, PROJECTION, RETRO or WHAT_IF.';
comment on column pay.pay_runs.state is 'building until its checks pass; then published; superseded by the next.';
comment on column pay.pay_runs.whole_period is 'Whether it covered everybody, or only the crew it was asked for.';
comment on column pay.pay_runs.as_of is 'Facts and terms on record at this time were used.';
comment on column pay.pay_runs.started_at is 'When it started.';
comment on column pay.pay_runs.finished_at is 'When it was published.';
comment on column pay.pay_runs.crew_count is 'Crew members with a result.';
comment on column pay.pay_runs.leg_count is 'Legs read.';
comment on column pay.pay_runs.line_count is 'Lines written.';
comment on column pay.pay_runs.finding_count is 'INVALID_INPUT findings raised.';
comment on column pay.pay_runs.total_amount is 'Sum of all results.';
comment on column pay.pay_runs.result_hash is 'SHA-256 over all lines in crew order.';
comment on column pay.pay_runs.input_hash is 'SHA-256 over ruleset hashes and the facts read.';
comment on column pay.pay_runs.engine_version is 'Version of the engine.';
comment on column pay.pay_runs.time_zone_version is 'Time zone data version of the server.';
comment on column pay.pay_runs.requested_by is 'Login that ran it.';
comment on column pay.pay_runs.requested_by_person is 'Person who ran it: can''t approve it.';

create table pay.pay_calculations (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  flight_pay_hours numeric(8, 2) not null,
  flight_pay_amount numeric(10, 2) not null,
  overtime_hours numeric(8, 2) not null,
  overtime_amount numeric(10, 2) not null,
  delay_pay_amount numeric(10, 2) not null,
  per_diem_amount numeric(10, 2) not null,
  premium_pay_amount numeric(10, 2) not null,
  guarantee_hours numeric(8, 2),
  guarantee_amount numeric(10, 2) not null,
  adjustment_amount numeric(10, 2) not null default 0,
  total_gross_pay numeric(10, 2) not null,
  calculation_date timestamptz not null default now(),
  validated_at timestamptz,
  validated_by varchar(100),
  run_id uuid not null,
  ruleset_id uuid not null,
  line_term smallint[] not null,
  line_node bigint[] not null,
  line_quantity numeric[] not null,
  line_cents integer[] not null,
  constraint pay_calculations_pkey primary key (enterprise_id, id),
  constraint pay_calculations_crew_member_id_pay_period_id_key unique (enterprise_id, crew_member_id, pay_period_id),
  constraint pay_calculations_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint pay_calculations_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint pay_calculations_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint pay_calculations_ruleset_fkey foreign key (enterprise_id, ruleset_id) references rules.rulesets (enterprise_id, id),
  constraint pay_calculations_components_add_up check (total_gross_pay =
    flight_pay_amount + overtime_amount + delay_pay_amount + per_diem_amount + premium_pay_amount + guarantee_amount + adjustment_amount),
  constraint pay_calculations_lines_add_up check (total_gross_pay * 100 = pay.cents_total(line_cents)),
  constraint pay_calculations_lines_are_parallel check (
    cardinality(line_term) = cardinality(line_cents)
    and cardinality(line_node) = cardinality(line_cents)
    and cardinality(line_quantity) = cardinality(line_cents)),
  constraint pay_calculations_validated_by_someone check ((validated_at is null) = (validated_by is null))
);
create index pay_calculations_crew_member_id_idx on pay.pay_calculations (enterprise_id, crew_member_id);
create index pay_calculations_pay_period_id_idx on pay.pay_calculations (enterprise_id, pay_period_id);
create index pay_calculations_calculation_date_idx on pay.pay_calculations (enterprise_id, calculation_date);
create index pay_calculations_run_id_idx on pay.pay_calculations (enterprise_id, run_id);
create index pay_calculations_ruleset_id_idx on pay.pay_calculations (enterprise_id, ruleset_id);
comment on table pay.pay_calculations is 'Current pay: one row per crew member and period, totals equal to its lines.';
comment on column pay.pay_calculations.enterprise_id is 'Tenant.';
comment on column pay.pay_calculations.id is 'Result.';
comment on column pay.pay_calculations.crew_member_id is 'Who is paid.';
comment on column pay.pay_calculations.pay_period_id is 'For which period.';
comment on column pay.pay_calculations.flight_pay_hours is 'Credit hours paid in the period (unit of the contract), two decimals.';
comment on column pay.pay_calculations.flight_pay_amount is 'Pay for credit.';
comment on column pay.pay_calculations.overtime_hours is 'Hours above the threshold.';
comment on column pay.pay_calculations.overtime_amount is 'The premium part for those hours (flight pay already pays them once).';
comment on column pay.pay_calculations.delay_pay_amount is 'Delay compensation.';
comment on column pay.pay_calculations.per_diem_amount is 'Per diem.';
comment on column pay.pay_calculations.premium_pay_amount is 'Premiums: red-eye, holiday, ….';
comment on column pay.pay_calculations.guarantee_hours is 'Monthly guarantee that applied, prorated; null where the contract has none.';
comment on column pay.pay_calculations.guarantee_amount is 'Top-up to the guarantee, paid with the month''s last period.';
comment on column pay.pay_calculations.adjustment_amount is 'Adjustments, claims and back pay.';
comment on column pay.pay_calculations.total_gross_pay is 'Sum of all components, equal to the lines to the cent.';
comment on column pay.pay_calculations.calculation_date is 'When it was computed.';
comment on column pay.pay_calculations.validated_at is 'When it was approved.';
comment on column pay.pay_calculations.validated_by is 'Who approved it.';
comment on column pay.pay_calculations.run_id is 'Run that made it.';
comment on column pay.pay_calculations.ruleset_id is 'Ruleset it was computed under.';
comment on column pay.pay_calculations.line_term is 'Per line: number of the term within the ruleset.';
comment on column pay.pay_calculations.line_node is 'Per line: leg_no, duty report (minutes since 1970), day (days since 1970), trip_no, or 0 for the period.';
comment on column pay.pay_calculations.line_quantity is 'Per line: quantity, unrounded (credit minutes, minutes or counts as the term says).';
comment on column pay.pay_calculations.line_cents is 'Per line: amount in cents.';

create table pay.calculation_versions (
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
  validated_at timestamptz,
  validated_by varchar(100),
  ruleset_id uuid not null,
  line_term smallint[] not null,
  line_node bigint[] not null,
  line_quantity numeric[] not null,
  line_cents integer[] not null,
  constraint calculation_versions_pkey primary key (enterprise_id, run_id, crew_member_id),
  constraint calculation_versions_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint calculation_versions_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint calculation_versions_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint calculation_versions_ruleset_fkey foreign key (enterprise_id, ruleset_id) references rules.rulesets (enterprise_id, id),
  constraint calculation_versions_lines_add_up check (total_gross_pay * 100 = pay.cents_total(line_cents))
);
create index calculation_versions_crew_member_id_idx on pay.calculation_versions (enterprise_id, crew_member_id, pay_period_id);
create index calculation_versions_pay_period_id_idx on pay.calculation_versions (enterprise_id, pay_period_id);
create index calculation_versions_ruleset_id_idx on pay.calculation_versions (enterprise_id, ruleset_id);
comment on table pay.calculation_versions is 'Results that are not current: replaced ones, projections, what-ifs, back pay.';
comment on column pay.calculation_versions.enterprise_id is 'Tenant.';
comment on column pay.calculation_versions.run_id is 'Run that made it.';
comment on column pay.calculation_versions.crew_member_id is 'Who.';
comment on column pay.calculation_versions.pay_period_id is 'For which period.';
comment on column pay.calculation_versions.id is 'Key it has or had in pay_calculations.';
comment on column pay.calculation_versions.flight_pay_hours is 'As in pay_calculations.';
comment on column pay.calculation_versions.flight_pay_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.overtime_hours is 'As in pay_calculations.';
comment on column pay.calculation_versions.overtime_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.delay_pay_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.per_diem_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.premium_pay_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.guarantee_hours is 'As in pay_calculations.';
comment on column pay.calculation_versions.guarantee_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.adjustment_amount is 'As in pay_calculations.';
comment on column pay.calculation_versions.total_gross_pay is 'As in pay_calculations.';
comment on column pay.calculation_versions.calculation_date is 'As in pay_calculations.';
comment on column pay.calculation_versions.validated_at is 'As in pay_calculations.';
comment on column pay.calculation_versions.validated_by is 'As in pay_calculations.';
comment on column pay.calculation_versions.ruleset_id is 'Ruleset it was computed under.';
comment on column pay.calculation_versions.line_term is 'As in pay_calculations.';
comment on column pay.calculation_versions.line_node is 'As in pay_calculations.';
comment on column pay.calculation_versions.line_quantity is 'As in pay_calculations.';
comment on column pay.calculation_versions.line_cents is 'As in pay_calculations.';

create table pay.run_findings (
  enterprise_id uuid not null,
  run_id uuid not null,
  finding_no integer not null,
  code text not null,
  crew_member_id uuid,
  term_id uuid,
  level text,
  node bigint,
  detail text not null,
  constraint run_findings_pkey primary key (enterprise_id, run_id, finding_no),
  constraint run_findings_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint run_findings_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint run_findings_term_fkey foreign key (enterprise_id, term_id) references rules.union_contract_terms (enterprise_id, id)
);
create index run_findings_crew_member_id_idx on pay.run_findings (enterprise_id, crew_member_id);
create index run_findings_term_id_idx on pay.run_findings (enterprise_id, term_id);
comment on table pay.run_findings is 'Inputs that a run could not pay for: a missing rate, a null fact that a matching term reads.';
comment on column pay.run_findings.enterprise_id is 'Tenant.';
comment on column pay.run_findings.run_id is 'Run.';
comment on column pay.run_findings.finding_no is 'Number within the run.';
comment on column pay.run_findings.code is 'Code of the error catalogue.';
comment on column pay.run_findings.crew_member_id is 'Whose pay is affected.';
comment on column pay.run_findings.term_id is 'Term that could not be evaluated.';
comment on column pay.run_findings.level is 'Level of the node.';
comment on column pay.run_findings.node is 'Node, as in line_node.';
comment on column pay.run_findings.detail is 'What is missing and what to do.';

create table pay.payroll_payments (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  component pay.component not null,
  flight_id uuid,
  quantity numeric,
  amount numeric(10, 2) not null,
  paid_on date,
  reference varchar(100) not null,
  created_at timestamptz not null default now(),
  constraint payroll_payments_pkey primary key (enterprise_id, id),
  constraint payroll_payments_reference_key unique (enterprise_id, reference),
  constraint payroll_payments_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint payroll_payments_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint payroll_payments_flight_fkey foreign key (enterprise_id, flight_id) references crew.flights (enterprise_id, id)
);
create index payroll_payments_crew_member_id_idx on pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id);
create index payroll_payments_pay_period_id_idx on pay.payroll_payments (enterprise_id, pay_period_id);
create index payroll_payments_flight_id_idx on pay.payroll_payments (enterprise_id, flight_id);
comment on table pay.payroll_payments is 'What payroll actually paid, to be compared with what is owed.';
comment on column pay.payroll_payments.enterprise_id is 'Tenant.';
comment on column pay.payroll_payments.id is 'Payment line.';
comment on column pay.payroll_payments.crew_member_id is 'Who was paid.';
comment on column pay.payroll_payments.pay_period_id is 'For which period.';
comment on column pay.payroll_payments.component is 'Kind of pay.';
comment on column pay.payroll_payments.flight_id is 'Flight it was paid for, where payroll says so.';
comment on column pay.payroll_payments.quantity is 'Quantity paid, in the unit payroll uses.';
comment on column pay.payroll_payments.amount is 'Amount paid.';
comment on column pay.payroll_payments.paid_on is 'Day of payment.';
comment on column pay.payroll_payments.reference is 'Payroll''s own key; importing it twice changes nothing.';
comment on column pay.payroll_payments.created_at is 'When the row was made.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'pay.pay_periods',
    'pay.pay_runs',
    'pay.pay_calculations',
    'pay.calculation_versions',
    'pay.run_findings',
    'pay.payroll_payments']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
