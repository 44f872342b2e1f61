-- Claims: lines, reviews, evidence, deadlines in business days, appeals, remedies.

alter type review.claim_status add value if not exists 'WITHDRAWN';

create table review.holidays (
  enterprise_id uuid not null references platform.enterprises (id),
  day date not null,
  name text not null,
  country char(2) not null,
  constraint holidays_pkey primary key (enterprise_id, day),
  constraint holidays_country_is_a_code check (country ~ '^[A-Z]{2}$')
);
comment on table review.holidays is 'Holidays that an airline''s deadlines skip, as they do Saturdays and Sundays.';
comment on column review.holidays.enterprise_id is 'Tenant.';
comment on column review.holidays.day is 'The day that is kept.';
comment on column review.holidays.name is 'Which holiday.';
comment on column review.holidays.country is 'ISO 3166 code of the country whose it is.';

create table review.claim_numbers (
  enterprise_id uuid not null references platform.enterprises (id),
  year integer not null,
  last_no integer not null,
  constraint claim_numbers_pkey primary key (enterprise_id, year)
);
comment on table review.claim_numbers is 'Last claim number of each year; its row is what submissions wait for, so that there is no gap and no duplicate.';
comment on column review.claim_numbers.enterprise_id is 'Tenant.';
comment on column review.claim_numbers.year is 'Year.';
comment on column review.claim_numbers.last_no is 'Last number given.';

create table review.claim_reviews (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  claim_id uuid not null,
  run_id uuid not null,
  reviewed_at timestamptz not null default now(),
  reviewed_by varchar(100) not null,
  supported_amount numeric(10, 2) not null,
  recommendation review.claim_decision not null,
  unclear text[] not null default '{}',
  rationale text not null,
  steps jsonb not null,
  constraint claim_reviews_pkey primary key (enterprise_id, id),
  constraint claim_reviews_claim_fkey foreign key (enterprise_id, claim_id) references review.claims (enterprise_id, id),
  constraint claim_reviews_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint claim_reviews_support_nothing_negative check (supported_amount >= 0)
);
create index claim_reviews_claim_id_idx on review.claim_reviews (enterprise_id, claim_id, reviewed_at);
create index claim_reviews_run_id_idx on review.claim_reviews (enterprise_id, run_id);
comment on table review.claim_reviews is 'Reviews of claims in five steps: flights, rules, recalculation, comparison, rationale. The last one of a claim counts.';
comment on column review.claim_reviews.enterprise_id is 'Tenant.';
comment on column review.claim_reviews.id is 'Review.';
comment on column review.claim_reviews.claim_id is 'Claim reviewed.';
comment on column review.claim_reviews.run_id is 'Recalculation it rests on, kept.';
comment on column review.claim_reviews.reviewed_at is 'When.';
comment on column review.claim_reviews.reviewed_by is 'Login that asked for it.';
comment on column review.claim_reviews.supported_amount is 'How much the recalculation supports.';
comment on column review.claim_reviews.recommendation is 'What it amounts to.';
comment on column review.claim_reviews.unclear is 'Why a person has to look, if so.';
comment on column review.claim_reviews.rationale is 'The reasons in words, with clauses and figures.';
comment on column review.claim_reviews.steps is 'What each of the five steps found.';

create table review.claim_lines (
  enterprise_id uuid not null,
  claim_id uuid not null,
  line_no integer not null,
  component pay.component not null,
  flight_id uuid,
  term_codes text[] not null default '{}',
  expected_amount numeric(10, 2) not null,
  actual_amount numeric(10, 2) not null,
  settled_amount numeric(10, 2) not null default 0,
  supported_amount numeric(10, 2) not null,
  approved_amount numeric(10, 2),
  reason text,
  constraint claim_lines_pkey primary key (enterprise_id, claim_id, line_no),
  constraint claim_lines_claim_fkey foreign key (enterprise_id, claim_id) references review.claims (enterprise_id, id),
  constraint claim_lines_flight_fkey foreign key (enterprise_id, flight_id) references crew.flights (enterprise_id, id),
  constraint claim_lines_amounts_are_positive check (supported_amount >= 0 and approved_amount >= 0)
);
create index claim_lines_flight_id_idx on review.claim_lines (enterprise_id, flight_id);
comment on table review.claim_lines is 'What a claim comes down to, by component and leg; decided line by line.';
comment on column review.claim_lines.enterprise_id is 'Tenant.';
comment on column review.claim_lines.claim_id is 'Claim.';
comment on column review.claim_lines.line_no is 'Line.';
comment on column review.claim_lines.component is 'Component of pay.';
comment on column review.claim_lines.flight_id is 'Leg, where it is one.';
comment on column review.claim_lines.term_codes is 'Clauses that pay it.';
comment on column review.claim_lines.expected_amount is 'What the recalculation gives.';
comment on column review.claim_lines.actual_amount is 'What was paid, or is recorded where nothing is posted yet.';
comment on column review.claim_lines.settled_amount is 'What other claims and automatic corrections have made good already.';
comment on column review.claim_lines.supported_amount is 'Expected less actual less settled, not below zero.';
comment on column review.claim_lines.approved_amount is 'What was approved of it; null: undecided.';
comment on column review.claim_lines.reason is 'Why this much, where the decision says so.';

create table review.claim_evidence (
  enterprise_id uuid not null,
  id uuid not null default gen_random_uuid(),
  claim_id uuid not null,
  added_at timestamptz not null default clock_timestamp(),
  added_by varchar(100) not null,
  title varchar(255) not null,
  body text not null,
  media_type varchar(100) not null default 'text/plain',
  content bytea,
  content_sha256 bytea,
  constraint claim_evidence_pkey primary key (enterprise_id, id),
  constraint claim_evidence_claim_fkey foreign key (enterprise_id, claim_id) references review.claims (enterprise_id, id),
  constraint claim_evidence_is_not_huge check (length(body) <= 4000 and octet_length(content) <= 2097152),
  constraint claim_evidence_hash_is_of_content check (content_sha256 is not distinct from sha256(content))
);
create index claim_evidence_claim_id_idx on review.claim_evidence (enterprise_id, claim_id, added_at);
comment on table review.claim_evidence is 'What people add to a claim: notes and documents. Never changed, never removed.';
comment on column review.claim_evidence.enterprise_id is 'Tenant.';
comment on column review.claim_evidence.id is 'Piece of evidence.';
comment on column review.claim_evidence.claim_id is 'Claim.';
comment on column review.claim_evidence.added_at is 'When it was added.';
comment on column review.claim_evidence.added_by is 'By whom.';
comment on column review.claim_evidence.title is 'What it is.';
comment on column review.claim_evidence.body is 'Text, or what the document shows.';
comment on column review.claim_evidence.media_type is 'Media type of the document.';
comment on column review.claim_evidence.content is 'The document, up to 2 MB; null: text only. The trail records its hash.';
comment on column review.claim_evidence.content_sha256 is 'SHA-256 of the document.';

alter table review.claims
  add column component pay.component,
  add column idempotency_key varchar(100),
  add column answer_due date,
  add column payment_due date,
  add column escalated_at timestamptz,
  add column reviewed_by_person uuid,
  add column first_decision jsonb,
  add column review_id uuid,
  add column paid_amount numeric(10, 2) not null default 0,
  add column penalty_amount numeric(10, 2) not null default 0,
  add column withdrawn_at timestamptz,
  add column withdrawal_reason text,
  add column remedy_of uuid,
  add constraint claims_review_fkey foreign key (enterprise_id, review_id) references review.claim_reviews (enterprise_id, id),
  add constraint claims_remedy_fkey foreign key (enterprise_id, remedy_of) references review.claims (enterprise_id, id);
create unique index claims_idempotency_key on review.claims (enterprise_id, crew_member_id, idempotency_key) where idempotency_key is not null;
create index claims_answer_due_idx on review.claims (enterprise_id, answer_due) where decision is null;
create index claims_review_id_idx on review.claims (enterprise_id, review_id);
create index claims_remedy_of_idx on review.claims (enterprise_id, remedy_of);
comment on column review.claims.component is 'Component claimed; null: whatever the claim''s flights or period lack.';
comment on column review.claims.idempotency_key is 'The client''s own key: submitted again with it, it is the same claim.';
comment on column review.claims.answer_due is 'Business day by which it has to be answered, by the contract.';
comment on column review.claims.payment_due is 'Business day by which what was approved has to be paid, by the contract.';
comment on column review.claims.escalated_at is 'When it was escalated because its deadline came near.';
comment on column review.claims.reviewed_by_person is 'Person who decided; null: an agent or the deterministic review.';
comment on column review.claims.first_decision is 'The decision that was appealed: who, when, what and why.';
comment on column review.claims.review_id is 'Review that the decision rests on, or the last one.';
comment on column review.claims.paid_amount is 'Booked as adjustments so far, penalty not included.';
comment on column review.claims.penalty_amount is 'For paying late, where the contract has it.';
comment on column review.claims.withdrawn_at is 'When the crew member withdrew it.';
comment on column review.claims.withdrawal_reason is 'Why.';
comment on column review.claims.remedy_of is 'Claim whose award this one applies to another crew member.';

alter table review.discrepancies
  add constraint discrepancies_adjustment_fkey foreign key (enterprise_id, adjustment_id) references pay.adjustments (enterprise_id, id),
  add constraint discrepancies_claim_fkey foreign key (enterprise_id, claim_id) references review.claims (enterprise_id, id);
create index discrepancies_adjustment_id_idx on review.discrepancies (enterprise_id, adjustment_id);
create index discrepancies_claim_id_idx on review.discrepancies (enterprise_id, claim_id);

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'review.holidays', 'review.claim_numbers', 'review.claim_reviews', 'review.claim_lines', 'review.claim_evidence']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
