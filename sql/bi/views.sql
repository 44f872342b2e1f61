-- Views for BI tools: a stable contract. Unique key first, money with its currency; columns are only added.
-- They run with the reader's rights: BI has SELECT on the tables, but no USAGE on their schemas, so it reaches them here only.

create or replace view bi.crew_members
with (security_invoker = true, security_barrier = true)
as
select
  c.enterprise_id,
  c.id as crew_member_id,
  c.employee_id,
  c.first_name,
  c.last_name,
  c.position,
  c.base_location,
  c.hire_date,
  c.termination_date,
  c.seniority_number,
  c.base_hourly_rate,
  e.currency,
  c.union_status,
  c.contract_type
from crew.crew_members c
join platform.enterprises e on e.id = c.enterprise_id;
comment on view bi.crew_members is 'Crew members; key: enterprise_id, crew_member_id.';
comment on column bi.crew_members.enterprise_id is 'Tenant.';
comment on column bi.crew_members.crew_member_id is 'Crew member.';
comment on column bi.crew_members.employee_id is 'Employee number.';
comment on column bi.crew_members.first_name is 'First name.';
comment on column bi.crew_members.last_name is 'Last name.';
comment on column bi.crew_members.position is 'Seat or cabin position held.';
comment on column bi.crew_members.base_location is 'Home base (IATA).';
comment on column bi.crew_members.hire_date is 'Date of hire.';
comment on column bi.crew_members.termination_date is 'Last day of employment; null while employed.';
comment on column bi.crew_members.seniority_number is 'Rank by seniority.';
comment on column bi.crew_members.base_hourly_rate is 'Hourly rate.';
comment on column bi.crew_members.currency is 'Currency of the money in this row.';
comment on column bi.crew_members.union_status is 'Standing with the bargaining unit.';
comment on column bi.crew_members.contract_type is 'Kind of employment.';
grant select on bi.crew_members to crewpay_bi, crewpay_admin, crewpay_payroll;

create or replace view bi.flights
with (security_invoker = true, security_barrier = true)
as
select
  f.enterprise_id,
  f.id as flight_id,
  f.flight_number,
  f.origin_airport,
  f.destination_airport,
  f.scheduled_departure,
  f.scheduled_arrival,
  f.actual_departure,
  f.actual_arrival,
  f.block_time_hours,
  f.delay_minutes,
  f.delay_code,
  f.aircraft_type,
  f.aircraft_registration,
  f.status,
  f.source
from crew.flights f;
comment on view bi.flights is 'Flights as scheduled and as flown; key: enterprise_id, flight_id.';
comment on column bi.flights.enterprise_id is 'Tenant.';
comment on column bi.flights.flight_id is 'Flight.';
comment on column bi.flights.flight_number is 'Flight number with carrier.';
comment on column bi.flights.origin_airport is 'Origin (IATA).';
comment on column bi.flights.destination_airport is 'Destination (IATA).';
comment on column bi.flights.scheduled_departure is 'Scheduled time out.';
comment on column bi.flights.scheduled_arrival is 'Scheduled time in.';
comment on column bi.flights.actual_departure is 'Actual time out.';
comment on column bi.flights.actual_arrival is 'Actual time in.';
comment on column bi.flights.block_time_hours is 'Actual block in hours.';
comment on column bi.flights.delay_minutes is 'Arrival delay in minutes.';
comment on column bi.flights.delay_code is 'Cause of the delay.';
comment on column bi.flights.aircraft_type is 'Aircraft model.';
comment on column bi.flights.aircraft_registration is 'Tail number.';
comment on column bi.flights.status is 'Where the flight stands.';
comment on column bi.flights.source is 'recorded or inferred.';
grant select on bi.flights to crewpay_bi, crewpay_admin, crewpay_payroll;

create or replace view bi.pay_periods
with (security_invoker = true, security_barrier = true)
as
select
  p.enterprise_id,
  p.id as pay_period_id,
  p.start_date,
  p.end_date,
  p.pay_date,
  p.contract_month,
  p.status
from pay.pay_periods p;
comment on view bi.pay_periods is 'Payroll cycles; key: enterprise_id, pay_period_id.';
comment on column bi.pay_periods.enterprise_id is 'Tenant.';
comment on column bi.pay_periods.pay_period_id is 'Pay period.';
comment on column bi.pay_periods.start_date is 'First day.';
comment on column bi.pay_periods.end_date is 'Last day.';
comment on column bi.pay_periods.pay_date is 'Day of payment.';
comment on column bi.pay_periods.contract_month is 'First day of the contract month it lies in.';
comment on column bi.pay_periods.status is 'OPEN, PROCESSING, CLOSED or PAID.';
grant select on bi.pay_periods to crewpay_bi, crewpay_admin, crewpay_payroll;

create or replace view bi.pay_calculations
with (security_invoker = true, security_barrier = true)
as
select
  c.enterprise_id,
  c.crew_member_id,
  c.pay_period_id,
  e.currency,
  c.flight_pay_hours,
  c.flight_pay_amount,
  c.overtime_hours,
  c.overtime_amount,
  c.delay_pay_amount,
  c.per_diem_amount,
  c.premium_pay_amount,
  c.guarantee_hours,
  c.guarantee_amount,
  c.adjustment_amount,
  c.total_gross_pay,
  c.calculation_date,
  c.validated_at,
  c.validated_by
from pay.pay_calculations c
join platform.enterprises e on e.id = c.enterprise_id;
comment on view bi.pay_calculations is 'Current pay; key: enterprise_id, crew_member_id, pay_period_id.';
comment on column bi.pay_calculations.enterprise_id is 'Tenant.';
comment on column bi.pay_calculations.crew_member_id is 'Crew member.';
comment on column bi.pay_calculations.pay_period_id is 'Pay period.';
comment on column bi.pay_calculations.currency is 'Currency of the money in this row.';
comment on column bi.pay_calculations.flight_pay_hours is 'Credit hours paid.';
comment on column bi.pay_calculations.flight_pay_amount is 'Flight pay.';
comment on column bi.pay_calculations.overtime_hours is 'Hours above the threshold.';
comment on column bi.pay_calculations.overtime_amount is 'Premium part of overtime.';
comment on column bi.pay_calculations.delay_pay_amount is 'Delay compensation.';
comment on column bi.pay_calculations.per_diem_amount is 'Per diem.';
comment on column bi.pay_calculations.premium_pay_amount is 'Premiums.';
comment on column bi.pay_calculations.guarantee_hours is 'Monthly guarantee.';
comment on column bi.pay_calculations.guarantee_amount is 'Pay up to the guarantee.';
comment on column bi.pay_calculations.adjustment_amount is 'Adjustments: back pay, claims, corrections.';
comment on column bi.pay_calculations.total_gross_pay is 'Sum of all components.';
comment on column bi.pay_calculations.calculation_date is 'When it was computed.';
comment on column bi.pay_calculations.validated_at is 'When it was validated; null until then.';
comment on column bi.pay_calculations.validated_by is 'Who validated it.';
grant select on bi.pay_calculations to crewpay_bi, crewpay_admin, crewpay_payroll;
