-- Table grants of schema review. Discrepancies and claims change through functions only.

grant select on review.discrepancies, review.claims
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant select, insert, update, delete on review.discrepancies, review.claims to crewpay_definer;

grant select on review.checks to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant select, insert, update, delete on review.detections, review.parallel_lines to crewpay_definer;
grant select on review.detections, review.parallel_lines to crewpay_admin, crewpay_payroll, crewpay_service;
