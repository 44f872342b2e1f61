-- Table grants of the audit trail: on the parent only, so that nobody reads a partition past the parent's policies.

grant insert, select on audit.audit_log to crewpay_definer;
grant usage on sequence audit.audit_log_entry_no_seq to crewpay_definer;
grant select on audit.audit_log to crewpay_admin, crewpay_payroll;
