drop table pay.retro_queue;
drop table crew.corrections;
drop table pay.delegations;
drop table pay.approvals;
drop type pay.approval_state;
drop type pay.approval_decision;
drop type pay.approval_subject;
