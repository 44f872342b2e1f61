drop table ops.alerts;
drop table ops.jobs;
drop table ops.error_codes;
drop table audit.audit_log;
