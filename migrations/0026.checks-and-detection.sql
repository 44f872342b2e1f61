-- Detection: the catalogue of checks, what they find in common form, and what each discrepancy remembers of it.

alter type pay.run_kind add value if not exists 'CHECK';

create type review.basis as enum ('RECORDED', 'PAID');
create type review.reason as enum (
  'RIG_NOT_APPLIED', 'WRONG_WINNER', 'PREMIUM_NOT_PAID', 'PREMIUM_NOT_DUE', 'WRONG_LONGEVITY', 'WRONG_RATE', 'LATE_CHANGE', 'TERMS_CHANGED',
  'GUARANTEE_NOT_PAID', 'GUARANTEE_PRORATION', 'MONTH_BOUNDARY', 'PER_DIEM', 'DUPLICATE', 'CLERICAL', 'LEG_NOT_PAID', 'LEG_NOT_FLOWN',
  'NOTHING_PAID', 'NOT_OWED', 'UNEXPLAINED', 'STALE', 'BAD_INPUT', 'CLAUSE_NOT_IN_FORCE');
comment on type review.basis is 'What the actual amount is: the recorded calculation, or what payroll paid.';
comment on type review.reason is 'Why expected and actual differ.';

create type review.difference as (
  basis review.basis,
  kind review.discrepancy_type,
  reason review.reason,
  crew_member_id uuid,
  component pay.component,
  flight_id uuid,
  level text,
  node bigint,
  term_code text,
  expected numeric,
  actual numeric,
  explanation text
);
comment on type review.difference is 'Expected and actual amount of one thing that differ, classed.';

create type review.scope as (
  enterprise_id uuid,
  pay_period_id uuid,
  crew uuid[],
  run_id uuid,
  today date,
  differences review.difference[]
);
comment on type review.scope is
  'What a check looks at: tenant, period, crew members (null: everybody), the recalculation if there is one, the day, and the differences that are due.';

create type review.finding as (
  crew_member_id uuid,
  flight_id uuid,
  component pay.component,
  basis review.basis,
  level text,
  node bigint,
  subject text,
  expected numeric,
  actual numeric,
  reason review.reason,
  explanation text
);
comment on type review.finding is 'A row that offends a check; subject tells findings of one place apart.';

create table review.checks (
  id text primary key,
  discrepancy_type review.discrepancy_type not null,
  title text not null,
  why text not null,
  severity review.severity not null,
  auto_fixable boolean not null,
  settings jsonb not null default '{}',
  constraint checks_id_is_a_name check (id ~ '^[a-z_]+$'),
  constraint checks_settings_are_an_object check (jsonb_typeof(settings) = 'object')
);
comment on table review.checks is 'Catalogue of detection checks; check ID is the function review.check_ID (global).';
comment on column review.checks.id is 'Check; its function is review.check_ID.';
comment on column review.checks.discrepancy_type is 'Type of the discrepancies it raises.';
comment on column review.checks.title is 'What it looks for.';
comment on column review.checks.why is 'Why it matters.';
comment on column review.checks.severity is 'Least severity of what it finds; amount and share may raise it.';
comment on column review.checks.auto_fixable is 'Whether recalculation or an adjustment may put right what it finds.';
comment on column review.checks.settings is 'Defaults of its settings: enabled, thresholds. The setting review.check.ID of an enterprise overrides them key by key.';

create table review.detections (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  pay_period_id uuid not null,
  run_id uuid,
  crew_count integer,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  requested_by varchar(100) not null,
  covers_changes boolean not null default false,
  found_count integer not null default 0,
  new_count integer not null default 0,
  changed_count integer not null default 0,
  cured_count integer not null default 0,
  fixed_count integer not null default 0,
  constraint detections_pkey primary key (enterprise_id, id),
  constraint detections_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint detections_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id)
);
create index detections_pay_period_id_idx on review.detections (enterprise_id, pay_period_id, started_at);
create index detections_run_id_idx on review.detections (enterprise_id, run_id);
comment on table review.detections is 'Executions of detection: what each looked at and what became of what it found.';
comment on column review.detections.enterprise_id is 'Tenant.';
comment on column review.detections.id is 'Detection.';
comment on column review.detections.pay_period_id is 'Period looked at.';
comment on column review.detections.run_id is 'Recalculation that it compared with; null: stored results only.';
comment on column review.detections.crew_count is 'Crew members looked at; null: everybody.';
comment on column review.detections.started_at is 'When it started: facts on record then were looked at.';
comment on column review.detections.finished_at is 'When it was done.';
comment on column review.detections.requested_by is 'Login that asked for it.';
comment on column review.detections.covers_changes is 'Everybody was looked at, or everybody whose result was new: the next one of what is new goes on from here.';
comment on column review.detections.found_count is 'Findings, known ones included.';
comment on column review.detections.new_count is 'Discrepancies that are new.';
comment on column review.detections.changed_count is 'Open ones whose amounts changed.';
comment on column review.detections.cured_count is 'Open ones that are gone and closed themselves.';
comment on column review.detections.fixed_count is 'New ones put right automatically.';

alter table review.discrepancies
  add column discrepancy_no bigint generated always as identity,
  add column check_id text references review.checks (id),
  add column subject_key text,
  add column component pay.component,
  add column basis review.basis,
  add column level text,
  add column node bigint,
  add column reason review.reason,
  add column explanation text,
  add column detection_id uuid,
  add column run_id uuid,
  add column assigned_to varchar(100),
  add column cured boolean not null default false,
  add column adjustment_id uuid,
  add column claim_id uuid,
  add constraint discrepancies_detection_fkey foreign key (enterprise_id, detection_id) references review.detections (enterprise_id, id),
  add constraint discrepancies_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  add constraint discrepancies_found_by_a_check_have_a_key check ((check_id is null) = (subject_key is null)),
  add constraint discrepancies_only_settled_ones_are_cured check (not cured or resolution_status in ('RESOLVED', 'CLOSED'));
alter table review.discrepancies
  add constraint discrepancies_discrepancy_no_key unique (enterprise_id, discrepancy_no);
create index discrepancies_check_id_idx on review.discrepancies (check_id);
create index discrepancies_detection_id_idx on review.discrepancies (enterprise_id, detection_id);
create index discrepancies_run_id_idx on review.discrepancies (enterprise_id, run_id);
create unique index discrepancies_live_key on review.discrepancies (enterprise_id, pay_period_id, crew_member_id, check_id, subject_key)
  where resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED');
comment on column review.discrepancies.discrepancy_no is 'Short number that people call it by.';
comment on column review.discrepancies.check_id is 'Check that found it; null: reported otherwise.';
comment on column review.discrepancies.subject_key is 'What tells it from others of the same check, crew member and period: found again, it is the same discrepancy.';
comment on column review.discrepancies.component is 'Component of pay concerned.';
comment on column review.discrepancies.basis is 'What the actual amount is: recorded, or paid by payroll.';
comment on column review.discrepancies.level is 'Level of the node concerned, where it is one.';
comment on column review.discrepancies.node is 'Node, as in pay.pay_lines.';
comment on column review.discrepancies.reason is 'Why expected and actual differ.';
comment on column review.discrepancies.explanation is 'The reason in words, with figures.';
comment on column review.discrepancies.detection_id is 'Detection that first found it.';
comment on column review.discrepancies.run_id is 'Recalculation that the expected amount is from; null: the stored result.';
comment on column review.discrepancies.assigned_to is 'Who looks into it.';
comment on column review.discrepancies.cured is 'Verified: expected and actual agree again. Found again, it is a new discrepancy.';
comment on column review.discrepancies.adjustment_id is 'Adjustment that makes it good.';
comment on column review.discrepancies.claim_id is 'Claim that it was found by, or that settled it.';

-- Another payroll's results, to be compared line by line.
alter table crew.import_batches drop constraint import_batches_kind_is_known;
alter table crew.import_batches add constraint import_batches_kind_is_known
  check (kind in ('flights', 'crew', 'trips', 'assignments', 'payments', 'parallel'));
comment on column crew.import_batches.kind is 'What the file holds: flights, crew, trips, assignments, payments or another payroll''s results (parallel).';

create table review.parallel_lines (
  enterprise_id uuid not null,
  batch_id uuid not null,
  row_no integer not null,
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  component pay.component not null,
  flight_id uuid,
  quantity numeric,
  amount numeric(10, 2) not null,
  constraint parallel_lines_pkey primary key (enterprise_id, batch_id, row_no),
  constraint parallel_lines_batch_fkey foreign key (enterprise_id, batch_id) references crew.import_batches (enterprise_id, id) on delete cascade,
  constraint parallel_lines_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint parallel_lines_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint parallel_lines_flight_fkey foreign key (enterprise_id, flight_id) references crew.flights (enterprise_id, id)
);
create index parallel_lines_crew_member_id_idx on review.parallel_lines (enterprise_id, crew_member_id);
create index parallel_lines_pay_period_id_idx on review.parallel_lines (enterprise_id, pay_period_id, batch_id);
create index parallel_lines_flight_id_idx on review.parallel_lines (enterprise_id, flight_id);
comment on table review.parallel_lines is 'Results of another payroll, brought in to be compared; they pay nobody.';
comment on column review.parallel_lines.enterprise_id is 'Tenant.';
comment on column review.parallel_lines.batch_id is 'Import they came with.';
comment on column review.parallel_lines.row_no is 'Row of the file.';
comment on column review.parallel_lines.crew_member_id is 'Who.';
comment on column review.parallel_lines.pay_period_id is 'For which period.';
comment on column review.parallel_lines.component is 'Kind of pay.';
comment on column review.parallel_lines.flight_id is 'Flight, where the other payroll says so.';
comment on column review.parallel_lines.quantity is 'Hours, where it says so.';
comment on column review.parallel_lines.amount is 'Amount.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['review.checks', 'review.detections', 'review.parallel_lines']::regclass[] loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
