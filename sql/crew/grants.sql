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
grant insert, update on crew.flights, crew.trips, crew.crew_assignments, crew.crew_months to crewpay_admin;

grant select, insert on crew.fact_versions to crewpay_definer;
grant select on crew.fact_versions to crewpay_admin, crewpay_payroll, crewpay_service;
