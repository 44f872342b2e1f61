-- Schemas, one per subject, and the closed sets of values (enums, domains) that the documents name.
-- New functions are executable by nobody until granted: default deny from the first second.

create schema auth;
create schema audit;
create schema platform;
create schema crew;
create schema rules;
create schema graph;
create schema compliance;
create schema pay;
create schema review;
create schema notify;
create schema travel;
create schema ops;
create schema bi;

comment on schema auth is 'Who is asking: principals of direct logins and the identity functions uid(), person(), role(), enterprise_id().';
comment on schema audit is 'Append-only record of every change: who, when, why, before and after.';
comment on schema platform is 'Tenants, users and configuration.';
comment on schema crew is 'Facts of operation: crew members, flights, assignments, trips, crew months, airports, imports.';
comment on schema rules is 'Contract terms and regulations as data, the fact catalogue, and the compiler from terms to SQL.';
comment on schema graph is 'The rule graph in its accepted generation: scenarios, pay components and the edges between terms.';
comment on schema compliance is 'Legality of duty: Part 117 and 121.467.';
comment on schema pay is 'Pay periods, runs, results and lines; the engine that computes, explains and proves them.';
comment on schema review is 'Discrepancies between expected and recorded pay, and crew claims.';
comment on schema notify is 'Notifications to crew.';
comment on schema travel is 'Flight offers and layovers.';
comment on schema ops is 'Jobs, alerts, error catalogue, schema version.';
comment on schema bi is 'Views for BI tools: a stable contract, columns are only added.';

alter default privileges revoke execute on functions from public;
alter default privileges revoke usage on types from public;

create domain crew.iata_airport as varchar(4)
  constraint iata_airport_is_three_letters check (value ~ '^[A-Z]{3}$');
create domain pay.money_amount as numeric(10, 2);
create domain crew.minutes as integer
  constraint minutes_are_not_negative check (value >= 0);

create type crew.crew_position as enum ('CAPTAIN', 'FIRST_OFFICER', 'FLIGHT_ATTENDANT', 'CHECK_AIRMAN', 'LINE_CHECK_AIRMAN');
create type crew.union_status as enum ('UNION_MEMBER', 'NON_UNION', 'PROBATIONARY');
create type crew.contract_type as enum ('FULL_TIME', 'PART_TIME', 'CONTRACTOR');
create type crew.assignment_position as enum ('OPERATING', 'DEADHEAD', 'RESERVE', 'STANDBY');
create type crew.activity as enum ('FLIGHT', 'RESERVE', 'STANDBY', 'TRAINING', 'VACATION', 'SICK', 'LEAVE', 'OTHER');
create type crew.flight_status as enum ('SCHEDULED', 'DEPARTED', 'ARRIVED', 'CANCELLED', 'DIVERTED');
create type crew.pickup as enum ('AWARDED', 'TRADE', 'OPEN_TIME', 'JUNIOR', 'DAY_OFF', 'RESERVE');
create type crew.line_type as enum ('LINE', 'RESERVE');

create type pay.pay_period_status as enum ('OPEN', 'PROCESSING', 'CLOSED', 'PAID');
create type pay.run_kind as enum ('REGULAR', 'PROJECTION', 'RETRO', 'WHAT_IF');
create type pay.run_state as enum ('building', 'published', 'superseded', 'failed');
create type pay.component as enum ('flight_pay', 'overtime', 'per_diem', 'premium', 'delay_pay', 'guarantee', 'adjustment');

create type rules.rule_category as enum ('FLIGHT_DUTY_PERIOD', 'FLIGHT_TIME', 'REST_REQUIREMENTS', 'CUMULATIVE_LIMITS', 'RESERVE', 'EXTENSIONS');
create type rules.applies_to as enum ('PILOTS', 'FLIGHT_ATTENDANTS', 'ALL_CREW');
create type rules.term_category as enum ('PAY_RATES', 'CREDIT', 'GUARANTEES', 'PREMIUMS', 'DUTY_RIGS', 'PER_DIEM', 'OVERTIME', 'DELAY_PAY', 'SETTINGS');
create type rules.node_level as enum ('leg', 'duty', 'day', 'trip', 'period', 'month');

create type review.severity as enum ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL');
create type review.discrepancy_type as enum (
  'UNDERPAYMENT', 'OVERPAYMENT', 'MISSING_PREMIUM', 'MISSING_FLIGHT', 'GUARANTEE_SHORTFALL', 'RATE_MISMATCH',
  'PER_DIEM_ERROR', 'DUPLICATE_PAYMENT', 'STALE_CALCULATION', 'INVALID_INPUT', 'RULE_PARITY', 'COMPLIANCE');
create type review.detected_by as enum ('PROACTIVE_AGENT', 'CREW_CLAIM', 'SYSTEM_CHECK');
create type review.resolution_status as enum ('OPEN', 'INVESTIGATING', 'RESOLVED', 'CLOSED', 'ESCALATED');
create type review.claim_type as enum (
  'UNDERPAYMENT', 'MISSING_FLIGHT', 'MISSING_PREMIUM', 'PER_DIEM', 'DELAY_PAY', 'GUARANTEE', 'OVERTIME', 'OTHER');
create type review.claim_status as enum ('SUBMITTED', 'UNDER_REVIEW', 'APPROVED', 'DENIED', 'APPEALED', 'CLOSED');
create type review.claim_decision as enum ('APPROVE', 'DENY', 'PARTIAL_APPROVE');
create type review.payment_status as enum ('PENDING', 'PROCESSING', 'PAID', 'FAILED');

create type notify.notification_type as enum ('PROACTIVE_FIX', 'DISCREPANCY', 'CLAIM_STATUS', 'PAY_STATEMENT', 'SYSTEM');
create type notify.delivery_method as enum ('EMAIL', 'SMS', 'APP_PUSH', 'IN_APP');

create type audit.audit_action as enum ('CREATED', 'UPDATED', 'DELETED', 'APPROVED', 'DENIED');
create type audit.actor_type as enum ('CREW', 'ADMIN', 'AI_AGENT', 'SYSTEM');

create type auth.app_role as enum ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync', 'jobs');
create type ops.alert_state as enum ('OPEN', 'ACKNOWLEDGED', 'CLEARED');

comment on domain crew.iata_airport is 'IATA airport code, three capital letters (imports also accept ICAO and translate).';
comment on domain pay.money_amount is 'Money in the enterprise''s currency, two decimals.';
comment on domain crew.minutes is 'A duration in whole minutes, never negative.';
comment on type crew.crew_position is 'Seat or cabin position that a crew member holds.';
comment on type crew.union_status is 'Standing with the bargaining unit.';
comment on type crew.contract_type is 'Kind of employment.';
comment on type crew.assignment_position is 'What the crew member does on the leg: operates it, deadheads, or is on reserve or standby.';
comment on type crew.activity is 'What an assignment is: a flight, or ground activity without one.';
comment on type crew.flight_status is 'Where a flight stands; CANCELLED and DIVERTED have defined effects on pay.';
comment on type crew.pickup is 'How a trip came onto the line.';
comment on type crew.line_type is 'Whether a crew member holds a line or reserve in a month.';
comment on type pay.pay_period_status is 'OPEN → PROCESSING → CLOSED → PAID; only an open period''s facts change directly.';
comment on type pay.run_kind is 'REGULAR pays; PROJECTION, RETRO and WHAT_IF never touch current results.';
comment on type pay.run_state is 'building until its checks pass; published is in force; superseded was replaced; failed never counted.';
comment on type pay.component is 'Kind of pay a line belongs to.';
comment on type rules.rule_category is 'Subject of a regulation.';
comment on type rules.applies_to is 'Whom a regulation covers.';
comment on type rules.term_category is 'Subject of a contract term.';
comment on type rules.node_level is 'Level of evaluation: leg ⊂ duty ⊂ day ⊂ trip, then the spans period and month.';
comment on type review.severity is 'LOW < MEDIUM < HIGH < CRITICAL, so that descending order lists critical first.';
comment on type review.discrepancy_type is 'What is wrong with the pay.';
comment on type review.detected_by is 'Who found the discrepancy.';
comment on type review.resolution_status is 'Where a discrepancy stands.';
comment on type review.claim_type is 'What a crew member claims.';
comment on type review.claim_status is 'Where a claim stands.';
comment on type review.claim_decision is 'How a claim was decided.';
comment on type review.payment_status is 'Where the payment of a claim stands.';
comment on type notify.notification_type is 'Why crew are notified.';
comment on type notify.delivery_method is 'Channel of a notification.';
comment on type audit.audit_action is 'What happened to a row.';
comment on type audit.actor_type is 'What kind of actor changed the row.';
comment on type auth.app_role is 'Role of a principal; each maps to one database role crewpay_….';
comment on type ops.alert_state is 'Where an alert stands.';
