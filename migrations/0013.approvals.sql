-- Four eyes: who asked, who decided, on what exactly; corrections of closed periods, and what they leave to recompute.

create type pay.approval_subject as enum ('RUN', 'REOPEN', 'CORRECTION', 'RATE_CHANGE', 'CLAIM_PAYMENT');
create type pay.approval_decision as enum ('APPROVED', 'DENIED');
create type pay.approval_state as enum ('PENDING', 'APPROVED', 'DENIED', 'WITHDRAWN', 'SUPERSEDED');
comment on type pay.approval_subject is 'What needs a second person.';
comment on type pay.approval_decision is 'How the second person decided.';
comment on type pay.approval_state is 'PENDING → APPROVED or DENIED, or WITHDRAWN by who asked; SUPERSEDED: it no longer counts (a reopened period''s run).';

create table pay.approvals (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  subject_kind pay.approval_subject not null,
  subject_id uuid not null,
  payload_hash text not null,
  requested_by varchar(100) not null,
  requested_by_person uuid,
  requested_at timestamptz not null default now(),
  reason text,
  state pay.approval_state not null default 'PENDING',
  decision pay.approval_decision,
  decided_by varchar(100),
  decided_by_person uuid,
  on_behalf_of_person uuid,
  decided_at timestamptz,
  decision_reason text,
  constraint approvals_pkey primary key (enterprise_id, id),
  constraint approvals_decided_by_another_person check (
    decided_by_person <> requested_by_person and on_behalf_of_person <> requested_by_person and decided_by <> requested_by),
  constraint approvals_decided_by_a_person check (
    (decision is null) = (decided_by_person is null) and (decision is null) = (decided_by is null) and (decision is null) = (decided_at is null)),
  constraint approvals_state_follows_decision check (
    case state
      when 'APPROVED' then decision = 'APPROVED'
      when 'DENIED' then decision = 'DENIED'
      when 'SUPERSEDED' then true
      else decision is null
    end),
  constraint approvals_denied_with_reason check (decision <> 'DENIED' or decision_reason <> '')
);
create unique index approvals_pending_key on pay.approvals (enterprise_id, subject_kind, subject_id) where state = 'PENDING';
create unique index approvals_approved_run_key on pay.approvals (enterprise_id, subject_id) where state = 'APPROVED' and subject_kind = 'RUN';
create index approvals_subject_idx on pay.approvals (enterprise_id, subject_id);
comment on table pay.approvals is 'Decisions of a second person: what was asked, what exactly it covers (hash), who decided.';
comment on column pay.approvals.enterprise_id is 'Tenant.';
comment on column pay.approvals.id is 'Approval.';
comment on column pay.approvals.subject_kind is 'RUN, REOPEN, CORRECTION, RATE_CHANGE or CLAIM_PAYMENT.';
comment on column pay.approvals.subject_id is 'Key of the run, pay period, correction, term or claim.';
comment on column pay.approvals.payload_hash is 'SHA-256 of what the approval covers; a run''s is its result hash. Another hash: ask again.';
comment on column pay.approvals.requested_by is 'Login that asked (that ran the run).';
comment on column pay.approvals.requested_by_person is 'Person who asked; null: a service.';
comment on column pay.approvals.requested_at is 'When it was asked.';
comment on column pay.approvals.reason is 'Why it was asked.';
comment on column pay.approvals.state is 'Where it stands; only APPROVED counts.';
comment on column pay.approvals.decision is 'How it was decided; null while pending or withdrawn.';
comment on column pay.approvals.decided_by is 'Login that decided.';
comment on column pay.approvals.decided_by_person is 'Person who decided; never who asked.';
comment on column pay.approvals.on_behalf_of_person is 'Person who delegated the decision; null: decided in own right.';
comment on column pay.approvals.decided_at is 'When it was decided.';
comment on column pay.approvals.decision_reason is 'Why it was decided so; a denial always has one.';

create table pay.delegations (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  from_login varchar(100) not null,
  from_person uuid not null,
  to_login varchar(100) not null,
  to_person uuid not null,
  until timestamptz not null,
  reason text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint delegations_pkey primary key (enterprise_id, id),
  constraint delegations_to_another_person check (from_person <> to_person),
  constraint delegations_end_after_start check (until > created_at),
  constraint delegations_have_a_reason check (reason <> '')
);
create index delegations_to_person_idx on pay.delegations (enterprise_id, to_person, until);
comment on table pay.delegations is 'Who may approve for whom, until when.';
comment on column pay.delegations.enterprise_id is 'Tenant.';
comment on column pay.delegations.id is 'Delegation.';
comment on column pay.delegations.from_login is 'Administrator who delegates.';
comment on column pay.delegations.from_person is 'The person behind that login.';
comment on column pay.delegations.to_login is 'Login that was named.';
comment on column pay.delegations.to_person is 'The person who may approve, under any login.';
comment on column pay.delegations.until is 'It ends then by itself.';
comment on column pay.delegations.reason is 'Why, e.g. leave.';
comment on column pay.delegations.created_at is 'When it was given.';
comment on column pay.delegations.revoked_at is 'When it was taken back; null while it stands.';

create table crew.corrections (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  table_name text not null,
  row_key text not null,
  is_new boolean not null,
  changes jsonb not null,
  reason text not null,
  requested_by varchar(100) not null,
  requested_by_person uuid not null,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  applied_in xid8,
  applied_at timestamptz,
  constraint corrections_pkey primary key (enterprise_id, id),
  constraint corrections_of_facts check (table_name in ('crew.flights', 'crew.trips', 'crew.crew_assignments', 'crew.crew_months')),
  constraint corrections_change_something check (jsonb_typeof(changes) = 'object' and changes <> '{}'),
  constraint corrections_have_a_reason check (reason <> ''),
  constraint corrections_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint corrections_applied_once_approved check (
    (approved_by_person is null) = (approved_at is null) and (applied_in is null) = (approved_at is null) and (applied_at is null or approved_at is not null))
);
create index corrections_row_idx on crew.corrections (enterprise_id, table_name, row_key);
comment on table crew.corrections is 'Changes to facts of closed pay periods: asked by one person, applied when a second approves.';
comment on column crew.corrections.enterprise_id is 'Tenant.';
comment on column crew.corrections.id is 'Correction.';
comment on column crew.corrections.table_name is 'Table of the fact, with schema.';
comment on column crew.corrections.row_key is 'Key of the row as in crew.fact_versions: its id; of crew months crew_member_id:month.';
comment on column crew.corrections.is_new is 'Whether it adds the row.';
comment on column crew.corrections.changes is 'Changed columns: {"column": [before, after]}; of a new row before is null.';
comment on column crew.corrections.reason is 'Why.';
comment on column crew.corrections.requested_by is 'Login that asked.';
comment on column crew.corrections.requested_by_person is 'Person who asked.';
comment on column crew.corrections.requested_at is 'When.';
comment on column crew.corrections.approved_by is 'Login that approved.';
comment on column crew.corrections.approved_by_person is 'Person who approved; never who asked.';
comment on column crew.corrections.approved_at is 'When it was approved.';
comment on column crew.corrections.applied_in is 'Transaction that applied it. While applied_at is null, the guard of closed periods lets that transaction change this row.';
comment on column crew.corrections.applied_at is 'When it was applied: from then on the fact reads so.';

create table pay.retro_queue (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  correction_id uuid,
  cause text not null,
  queued_at timestamptz not null default now(),
  queued_by varchar(100) not null,
  settled_at timestamptz,
  settled_by_run uuid,
  constraint retro_queue_pkey primary key (enterprise_id, id),
  constraint retro_queue_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint retro_queue_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint retro_queue_correction_fkey foreign key (enterprise_id, correction_id) references crew.corrections (enterprise_id, id),
  constraint retro_queue_run_fkey foreign key (enterprise_id, settled_by_run) references pay.pay_runs (enterprise_id, id),
  constraint retro_queue_settled_by_a_run check ((settled_at is null) = (settled_by_run is null))
);
create unique index retro_queue_waiting_key on pay.retro_queue (enterprise_id, pay_period_id, crew_member_id, correction_id, cause)
  nulls not distinct where settled_at is null;
create index retro_queue_crew_member_id_idx on pay.retro_queue (enterprise_id, crew_member_id);
create index retro_queue_pay_period_id_idx on pay.retro_queue (enterprise_id, pay_period_id);
create index retro_queue_correction_id_idx on pay.retro_queue (enterprise_id, correction_id);
create index retro_queue_settled_by_run_idx on pay.retro_queue (enterprise_id, settled_by_run);
comment on table pay.retro_queue is 'Crew members whose pay of a closed period is to be recomputed, with the cause.';
comment on column pay.retro_queue.enterprise_id is 'Tenant.';
comment on column pay.retro_queue.id is 'Entry.';
comment on column pay.retro_queue.crew_member_id is 'Whose pay.';
comment on column pay.retro_queue.pay_period_id is 'Of which period.';
comment on column pay.retro_queue.correction_id is 'Correction that caused it; null: something else.';
comment on column pay.retro_queue.cause is 'Why.';
comment on column pay.retro_queue.queued_at is 'When it was queued.';
comment on column pay.retro_queue.queued_by is 'Login that caused it.';
comment on column pay.retro_queue.settled_at is 'When the recomputed pay was settled; null while it waits.';
comment on column pay.retro_queue.settled_by_run is 'Run that recomputed it.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'pay.approvals',
    'pay.delegations',
    'crew.corrections',
    'pay.retro_queue']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
