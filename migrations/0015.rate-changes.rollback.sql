comment on column pay.approvals.subject_id is 'Key of the run, pay period, correction, term or claim.';
drop table pay.rate_changes;
