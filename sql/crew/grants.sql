-- Table grants of schema crew. Facts are retired, never deleted; who a person is (person_id) is never granted.

grant select on crew.airports to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;

grant select on crew.crew_members, crew.flights, crew.trips, crew.crew_assignments, crew.crew_months
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant select, insert, update, delete on crew.crew_members, crew.flights, crew.trips, crew.crew_assignments, crew.crew_months
  to crewpay_definer;

grant insert (enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
              base_hourly_rate, union_status, contract_type, termination_date, attributes)
  on crew.crew_members to crewpay_admin;
grant update (employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
              base_hourly_rate, union_status, contract_type, termination_date, attributes)
  on crew.crew_members to crewpay_admin;
-- Not created_at and updated_at: since when a fact is on record is the database's own word. Not trip_no and leg_no: numbers of
-- the whole installation; a chosen one would tell whether another enterprise has it, and take it from the sequence.
revoke insert, update on crew.flights, crew.trips, crew.crew_assignments, crew.crew_months from crewpay_admin;
grant insert (enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
              actual_departure, actual_arrival, delay_minutes, delay_code, delay_reason, aircraft_type, aircraft_registration,
              status, source, attributes),
      update (flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
              actual_departure, actual_arrival, delay_minutes, delay_code, delay_reason, aircraft_type, aircraft_registration,
              status, source, attributes)
  on crew.flights to crewpay_admin;
grant insert (enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at,
              pickup, from_reserve, awarded_credit_minutes, attributes),
      update (crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at,
              pickup, from_reserve, awarded_credit_minutes, attributes)
  on crew.trips to crewpay_admin;
grant insert (enterprise_id, id, crew_member_id, flight_id, trip_id, position, activity, position_flown, duty_start_time,
              duty_end_time, check_in_time, check_out_time, published_credit_minutes, attributes, retired_at),
      update (crew_member_id, flight_id, trip_id, position, activity, position_flown, duty_start_time,
              duty_end_time, check_in_time, check_out_time, published_credit_minutes, attributes, retired_at)
  on crew.crew_assignments to crewpay_admin;
grant insert (enterprise_id, crew_member_id, month, line_type, award_credit_minutes, work_days, unpaid_days, days_off, attributes),
      update (line_type, award_credit_minutes, work_days, unpaid_days, days_off, attributes)
  on crew.crew_months to crewpay_admin;

grant select on crew.contract_months to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant insert (enterprise_id, month, last_day, quarter, year), update (last_day, quarter, year) on crew.contract_months to crewpay_admin;
grant select, insert, update, delete on crew.contract_months to crewpay_definer;

grant select, insert on crew.fact_versions to crewpay_definer;
grant select on crew.fact_versions to crewpay_admin, crewpay_payroll, crewpay_service;
