-- Table grants of schema ops.

grant select on ops.error_codes to
  crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs;
grant select on ops.jobs to crewpay_definer, crewpay_admin, crewpay_jobs;
grant select, insert, update on ops.alerts to crewpay_definer;
grant select on ops.alerts to crewpay_admin, crewpay_jobs;
grant select, insert, update, delete on ops.job_runs to crewpay_definer;
grant select on ops.job_runs to crewpay_jobs, crewpay_admin;
