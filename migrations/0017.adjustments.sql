-- Adjustments: amounts that no term pays, each with its reason and source, paid as lines of the period they are booked to.

alter type pay.approval_subject add value if not exists 'ADJUSTMENT';
alter type pay.approval_subject add value if not exists 'OVERRIDE';
alter type pay.approval_subject add value if not exists 'RETRO';
alter type pay.approval_subject add value if not exists 'RECOVERY';

create type pay.adjustment_source as enum ('MANUAL', 'CLAIM', 'RETRO', 'RECOVERY', 'AUTO_FIX');
create type pay.adjustment_state as enum ('PROPOSED', 'APPROVED', 'PAID', 'WITHDRAWN', 'DENIED');
comment on type pay.adjustment_source is 'Where an adjustment comes from: a person, a claim, back pay, an instalment of a recovery, an automatic correction.';
comment on type pay.adjustment_state is 'PROPOSED → APPROVED → PAID by the period''s next run; or DENIED by a second person, WITHDRAWN before it is paid.';

create table pay.adjustments (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  adjustment_no bigint generated always as identity,
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  amount numeric(10, 2) not null,
  reason text not null,
  source pay.adjustment_source not null,
  source_id uuid,
  of_period_id uuid,
  of_component pay.component,
  state pay.adjustment_state not null default 'PROPOSED',
  requested_by varchar(100) not null,
  requested_by_person uuid,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  paid_by_run uuid,
  paid_at timestamptz,
  constraint adjustments_pkey primary key (enterprise_id, id),
  constraint adjustments_adjustment_no_key unique (enterprise_id, adjustment_no),
  constraint adjustments_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint adjustments_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint adjustments_of_period_fkey foreign key (enterprise_id, of_period_id) references pay.pay_periods (enterprise_id, id),
  constraint adjustments_run_fkey foreign key (enterprise_id, paid_by_run) references pay.pay_runs (enterprise_id, id),
  constraint adjustments_are_of_something check (amount <> 0),
  constraint adjustments_have_a_reason check (reason <> ''),
  constraint adjustments_name_their_source check (source = 'MANUAL' or source_id is not null),
  constraint adjustments_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint adjustments_approved_before_paid check (
    case state
      when 'PAID' then num_nulls(approved_at, paid_by_run, paid_at) = 0
      when 'APPROVED' then approved_at is not null and num_nonnulls(paid_by_run, paid_at) = 0
      else num_nonnulls(paid_by_run, paid_at) = 0
    end)
);
create unique index adjustments_source_key on pay.adjustments (enterprise_id, source, source_id)
  where source in ('RETRO', 'RECOVERY', 'AUTO_FIX') and state not in ('WITHDRAWN', 'DENIED');
create index adjustments_source_id_idx on pay.adjustments (enterprise_id, source_id);
create index adjustments_crew_member_id_idx on pay.adjustments (enterprise_id, crew_member_id);
create index adjustments_pay_period_id_idx on pay.adjustments (enterprise_id, pay_period_id, state);
create index adjustments_of_period_id_idx on pay.adjustments (enterprise_id, of_period_id);
create index adjustments_paid_by_run_idx on pay.adjustments (enterprise_id, paid_by_run);
comment on table pay.adjustments is 'Amounts that no term pays: manual ones, claims, back pay, recoveries, automatic corrections.';
comment on column pay.adjustments.enterprise_id is 'Tenant.';
comment on column pay.adjustments.id is 'Adjustment.';
comment on column pay.adjustments.adjustment_no is 'Short number that pay lines cite (line_node of term number 0).';
comment on column pay.adjustments.crew_member_id is 'Whom it is paid to, or taken from.';
comment on column pay.adjustments.pay_period_id is 'Period that pays it; open when it is booked.';
comment on column pay.adjustments.amount is 'Amount, to the cent; negative: taken back.';
comment on column pay.adjustments.reason is 'Why, as the statement says it.';
comment on column pay.adjustments.source is 'MANUAL, CLAIM, RETRO, RECOVERY or AUTO_FIX.';
comment on column pay.adjustments.source_id is 'Key of the claim, back pay item, instalment or discrepancy; null for manual ones.';
comment on column pay.adjustments.of_period_id is 'Earlier period that it makes good, where it is about one.';
comment on column pay.adjustments.of_component is 'Component of that period, where it is about one.';
comment on column pay.adjustments.state is 'Where it stands; APPROVED ones are paid by the period''s next run, PAID ones stay in every later run of it.';
comment on column pay.adjustments.requested_by is 'Login that asked for it.';
comment on column pay.adjustments.requested_by_person is 'Person who asked; null: a service.';
comment on column pay.adjustments.requested_at is 'When it was asked for.';
comment on column pay.adjustments.approved_by is 'Login of the second person; null where none was needed.';
comment on column pay.adjustments.approved_by_person is 'The second person; never who asked.';
comment on column pay.adjustments.approved_at is 'When it became payable.';
comment on column pay.adjustments.paid_by_run is 'Run that first paid it.';
comment on column pay.adjustments.paid_at is 'When that was.';

alter table pay.adjustments enable row level security;
alter table pay.adjustments force row level security;
create policy owner_all on pay.adjustments to crewpay_owner using (true) with check (true);
