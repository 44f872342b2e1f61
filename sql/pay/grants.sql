-- Table grants of schema pay. Results are written by functions; a period's status moves through functions.

grant select on pay.pay_periods to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant insert (enterprise_id, id, start_date, end_date, pay_date, contract_month) on pay.pay_periods to crewpay_admin;
grant update (start_date, end_date, pay_date, contract_month) on pay.pay_periods to crewpay_admin;

grant select on pay.pay_runs to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
-- Crew see that a run was made and from what, not what it cost.
grant select (enterprise_id, id, pay_period_id, kind, state, whole_period, as_of, started_at, finished_at,
              engine_version, time_zone_version)
  on pay.pay_runs to crewpay_crew;

grant select on pay.pay_calculations, pay.calculation_versions
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant select on pay.run_findings to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant select on pay.payroll_payments to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant insert on pay.payroll_payments to crewpay_payroll;

grant select, insert, update, delete on
  pay.pay_periods, pay.pay_runs, pay.pay_calculations, pay.calculation_versions, pay.run_findings, pay.run_slices, pay.slice_results, pay.payroll_payments
  to crewpay_definer;
