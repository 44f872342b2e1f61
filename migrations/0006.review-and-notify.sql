-- Discrepancies, claims and notifications. Source: the Avelo document, tables 6, 7 and 11.

create table review.discrepancies (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  flight_id uuid,
  discrepancy_type review.discrepancy_type not null,
  expected_amount numeric(10, 2) not null,
  actual_amount numeric(10, 2) not null,
  difference_amount numeric(10, 2) not null,
  severity review.severity not null,
  detected_by review.detected_by not null,
  detected_at timestamptz not null default now(),
  resolution_status review.resolution_status not null default 'OPEN',
  resolution_date timestamptz,
  resolved_by varchar(100),
  resolution_notes text,
  constraint discrepancies_pkey primary key (enterprise_id, id),
  constraint discrepancies_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint discrepancies_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint discrepancies_flight_fkey foreign key (enterprise_id, flight_id) references crew.flights (enterprise_id, id),
  constraint discrepancies_difference_is_expected_minus_actual check (difference_amount = expected_amount - actual_amount),
  constraint discrepancies_resolved_by_someone check (
    resolution_status not in ('RESOLVED', 'CLOSED') or num_nulls(resolution_date, resolved_by) = 0)
);
create index discrepancies_crew_member_id_idx on review.discrepancies (enterprise_id, crew_member_id);
create index discrepancies_pay_period_id_idx on review.discrepancies (enterprise_id, pay_period_id);
create index discrepancies_resolution_status_idx on review.discrepancies (enterprise_id, resolution_status);
create index discrepancies_detected_at_idx on review.discrepancies (enterprise_id, detected_at);
create index discrepancies_severity_idx on review.discrepancies (enterprise_id, severity);
create index discrepancies_flight_id_idx on review.discrepancies (enterprise_id, flight_id);
-- The list of open discrepancies in the document's order, straight from the index.
create index discrepancies_open_idx on review.discrepancies (enterprise_id, severity desc, detected_at)
  where resolution_status in ('OPEN', 'INVESTIGATING');
comment on table review.discrepancies is 'Pay issues found before the crew member has to.';
comment on column review.discrepancies.enterprise_id is 'Tenant.';
comment on column review.discrepancies.id is 'Discrepancy.';
comment on column review.discrepancies.crew_member_id is 'Whose pay.';
comment on column review.discrepancies.pay_period_id is 'In which period.';
comment on column review.discrepancies.flight_id is 'Flight concerned, if one.';
comment on column review.discrepancies.discrepancy_type is 'What is wrong.';
comment on column review.discrepancies.expected_amount is 'What should have been paid.';
comment on column review.discrepancies.actual_amount is 'What was paid.';
comment on column review.discrepancies.difference_amount is 'Expected minus actual: positive is owed to the crew member.';
comment on column review.discrepancies.severity is 'How bad.';
comment on column review.discrepancies.detected_by is 'Who found it.';
comment on column review.discrepancies.detected_at is 'When it was found.';
comment on column review.discrepancies.resolution_status is 'Where it stands.';
comment on column review.discrepancies.resolution_date is 'When it was resolved.';
comment on column review.discrepancies.resolved_by is 'Who resolved it.';
comment on column review.discrepancies.resolution_notes is 'How it was resolved.';

create table review.claims (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  claim_number varchar(20) not null,
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  flight_ids text[] not null default '{}',
  claim_type review.claim_type not null,
  description text not null,
  claimed_amount numeric(10, 2) not null,
  submitted_at timestamptz not null default now(),
  submitted_by varchar(100) not null,
  status review.claim_status not null default 'SUBMITTED',
  reviewed_at timestamptz,
  reviewed_by varchar(100),
  decision review.claim_decision,
  decision_rationale text,
  approved_amount numeric(10, 2),
  payment_date date,
  payment_status review.payment_status,
  appeal_submitted_at timestamptz,
  appeal_notes text,
  constraint claims_pkey primary key (enterprise_id, id),
  constraint claims_claim_number_key unique (enterprise_id, claim_number),
  constraint claims_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint claims_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint claims_number_is_well_formed check (claim_number ~ '^CLM-[0-9]{4}-[0-9]{4,}$'),
  constraint claims_amounts_are_positive check (claimed_amount > 0 and approved_amount >= 0),
  constraint claims_decided_with_reason check (
    decision is null or num_nulls(reviewed_at, reviewed_by, decision_rationale) = 0),
  constraint claims_approved_have_an_amount check ((decision in ('APPROVE', 'PARTIAL_APPROVE')) = (approved_amount is not null)),
  constraint claims_reviewed_after_submission check (reviewed_at >= submitted_at)
);
create index claims_crew_member_id_idx on review.claims (enterprise_id, crew_member_id);
create index claims_status_idx on review.claims (enterprise_id, status);
create index claims_submitted_at_idx on review.claims (enterprise_id, submitted_at);
create index claims_pay_period_id_idx on review.claims (enterprise_id, pay_period_id);
comment on table review.claims is 'Pay claims submitted by crew.';
comment on column review.claims.enterprise_id is 'Tenant.';
comment on column review.claims.id is 'Claim.';
comment on column review.claims.claim_number is 'CLM-YYYY-NNNN, unique in the tenant.';
comment on column review.claims.crew_member_id is 'Who claims.';
comment on column review.claims.pay_period_id is 'For which period.';
comment on column review.claims.flight_ids is 'Flights concerned.';
comment on column review.claims.claim_type is 'What is claimed.';
comment on column review.claims.description is 'The crew member''s words.';
comment on column review.claims.claimed_amount is 'Amount claimed.';
comment on column review.claims.submitted_at is 'When it was submitted.';
comment on column review.claims.submitted_by is 'Employee id of the submitter.';
comment on column review.claims.status is 'Where it stands.';
comment on column review.claims.reviewed_at is 'When it was reviewed.';
comment on column review.claims.reviewed_by is 'Reviewer, human or agent.';
comment on column review.claims.decision is 'How it was decided.';
comment on column review.claims.decision_rationale is 'Why, with clauses and figures.';
comment on column review.claims.approved_amount is 'Amount approved; null when denied or undecided.';
comment on column review.claims.payment_date is 'When it was paid.';
comment on column review.claims.payment_status is 'Where the payment stands.';
comment on column review.claims.appeal_submitted_at is 'When it was appealed.';
comment on column review.claims.appeal_notes is 'Reasons of the appeal.';

create table notify.notifications (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  crew_member_id uuid not null,
  notification_type notify.notification_type not null,
  title varchar(255) not null,
  message text not null,
  related_entity_type varchar(50),
  related_entity_id uuid,
  sent_at timestamptz,
  read_at timestamptz,
  delivery_method notify.delivery_method not null default 'IN_APP',
  created_at timestamptz not null default now(),
  constraint notifications_pkey primary key (enterprise_id, id),
  constraint notifications_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint notifications_read_after_sent check (read_at >= sent_at),
  constraint notifications_entity_has_type_and_id check ((related_entity_type is null) = (related_entity_id is null))
);
create index notifications_crew_member_id_idx on notify.notifications (enterprise_id, crew_member_id);
create index notifications_sent_at_idx on notify.notifications (enterprise_id, sent_at);
create index notifications_read_at_idx on notify.notifications (enterprise_id, read_at);
comment on table notify.notifications is 'Messages to crew members.';
comment on column notify.notifications.enterprise_id is 'Tenant.';
comment on column notify.notifications.id is 'Notification.';
comment on column notify.notifications.crew_member_id is 'Recipient.';
comment on column notify.notifications.notification_type is 'Why it is sent.';
comment on column notify.notifications.title is 'Title.';
comment on column notify.notifications.message is 'Full message.';
comment on column notify.notifications.related_entity_type is 'What it is about: discrepancy, claim, ….';
comment on column notify.notifications.related_entity_id is 'Key of that row.';
comment on column notify.notifications.sent_at is 'When it was sent; null while waiting.';
comment on column notify.notifications.read_at is 'When it was read.';
comment on column notify.notifications.delivery_method is 'Channel.';
comment on column notify.notifications.created_at is 'When the row was made.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'review.discrepancies',
    'review.claims',
    'notify.notifications']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
