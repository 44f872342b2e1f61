-- Table grants of schema review. Discrepancies and claims change through functions only.

grant select on review.discrepancies, review.claims
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
grant select, insert, update, delete on review.discrepancies, review.claims to crewpay_definer;
