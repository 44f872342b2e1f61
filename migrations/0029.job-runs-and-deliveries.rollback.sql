drop table notify.deliveries;
drop index notify.notifications_event_key;
alter table notify.notifications drop column event_key, drop column event;
drop table notify.templates;
drop table notify.preferences;
drop table notify.contacts;
drop type notify.delivery_state;
drop table ops.job_runs;
drop type ops.job_state;
alter table ops.jobs
  drop column enabled_at,
  drop column max_duration,
  drop column max_lateness,
  drop column per_enterprise;
