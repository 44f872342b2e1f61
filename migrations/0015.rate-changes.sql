-- Changes of rates and of the contract on an airline that pays: asked by one person, applied when a second approves.

create table pay.rate_changes (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  rates jsonb,
  contract jsonb,
  contract_before text,
  outcome jsonb,
  reason text not null,
  requested_by varchar(100) not null,
  requested_by_person uuid not null,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  applied_in xid8,
  applied_at timestamptz,
  constraint rate_changes_pkey primary key (enterprise_id, id),
  constraint rate_changes_of_rates_or_a_contract check (num_nonnulls(rates, contract) = 1),
  constraint rate_changes_change_something check (jsonb_typeof(coalesce(rates, contract)) = 'object' and coalesce(rates, contract) <> '{}'),
  constraint rate_changes_of_a_contract_say_from_what check ((contract is null) = (contract_before is null)),
  constraint rate_changes_have_a_reason check (reason <> ''),
  constraint rate_changes_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint rate_changes_applied_once_approved check (
    (approved_by_person is null) = (approved_at is null) and (applied_at is null or num_nulls(approved_at, applied_in) = 0))
);
create index rate_changes_applied_in_idx on pay.rate_changes (enterprise_id, applied_in);
comment on table pay.rate_changes is 'Changes of hourly rates of crew members, or of the contract: asked by one person, applied when a second approves.';
comment on column pay.rate_changes.enterprise_id is 'Tenant.';
comment on column pay.rate_changes.id is 'Change.';
comment on column pay.rate_changes.rates is 'Base hourly rates: {"crew member": [before, after]}; null: a contract.';
comment on column pay.rate_changes.contract is 'Contract document as rules.load_contract() takes it; null: rates.';
comment on column pay.rate_changes.contract_before is 'Hash of terms and rule graph on record when it was asked; null: rates.';
comment on column pay.rate_changes.outcome is 'What a contract document does: {"added","changed","unchanged","generation"}; null: rates.';
comment on column pay.rate_changes.reason is 'Why.';
comment on column pay.rate_changes.requested_by is 'Login that asked.';
comment on column pay.rate_changes.requested_by_person is 'Person who asked.';
comment on column pay.rate_changes.requested_at is 'When.';
comment on column pay.rate_changes.approved_by is 'Login that approved.';
comment on column pay.rate_changes.approved_by_person is 'Person who approved; never who asked.';
comment on column pay.rate_changes.approved_at is 'When it was approved.';
comment on column pay.rate_changes.applied_in is 'Transaction that applied it. While applied_at is null, the guard of rates lets that transaction make this change.';
comment on column pay.rate_changes.applied_at is 'When it was applied.';
comment on column pay.approvals.subject_id is 'Key of the run, pay period, correction, rate change or claim.';

alter table pay.rate_changes enable row level security;
alter table pay.rate_changes force row level security;
create policy owner_all on pay.rate_changes to crewpay_owner using (true) with check (true);
