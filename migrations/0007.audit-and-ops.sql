-- Audit trail (the Avelo document, table 12; append-only) and operations: jobs, alerts, error catalogue.
-- Monthly partitions are made by audit.ensure_partitions(), never by hand.

create table audit.audit_log (
  id uuid not null default gen_random_uuid(),
  enterprise_id uuid,
  entity_type varchar(50) not null,
  entity_id uuid,
  entity_key text not null,
  action audit.audit_action not null,
  actor_id varchar(100) not null,
  actor_type audit.actor_type not null,
  changes jsonb,
  reason text,
  ip_address varchar(45),
  user_agent text,
  request_id text,
  claimed jsonb,
  transaction_id xid8 not null default pg_current_xact_id(),
  created_at timestamptz not null default now(),
  constraint audit_log_pkey primary key (id, created_at)
) partition by range (created_at);
create index audit_log_entity_type_entity_id_idx on audit.audit_log (enterprise_id, entity_type, entity_id);
create index audit_log_actor_id_idx on audit.audit_log (enterprise_id, actor_id);
create index audit_log_created_at_idx on audit.audit_log using brin (created_at);
comment on table audit.audit_log is 'Append-only trail of every change; nobody who can log in may update, delete or truncate it.';
comment on column audit.audit_log.id is 'Row key.';
comment on column audit.audit_log.enterprise_id is 'Tenant; null for global tables.';
comment on column audit.audit_log.entity_type is 'Table, with schema.';
comment on column audit.audit_log.entity_id is 'Key of the row where it is one uuid.';
comment on column audit.audit_log.entity_key is 'Whole key of the row.';
comment on column audit.audit_log.action is 'What happened.';
comment on column audit.audit_log.actor_id is 'Login that did it (session_user), never the client''s claim.';
comment on column audit.audit_log.actor_type is 'CREW, ADMIN, AI_AGENT or SYSTEM.';
comment on column audit.audit_log.changes is 'Changed columns: {"column": [before, after]}.';
comment on column audit.audit_log.reason is 'Reason given.';
comment on column audit.audit_log.ip_address is 'Address of the connection as the server sees it.';
comment on column audit.audit_log.user_agent is 'application_name of the connection (the client''s own words).';
comment on column audit.audit_log.request_id is 'Request id given by the client (untrusted).';
comment on column audit.audit_log.claimed is 'What the client claims about user and address (untrusted).';
comment on column audit.audit_log.transaction_id is 'Transaction.';
comment on column audit.audit_log.created_at is 'When.';

create table ops.error_codes (
  code char(5) primary key,
  title text not null,
  hint text not null,
  constraint error_codes_are_of_class_cp check (code ~ '^CP[0-9]{3}$')
);
comment on table ops.error_codes is 'Every SQLSTATE CPnnn that CrewPay raises (global).';
comment on column ops.error_codes.code is 'SQLSTATE.';
comment on column ops.error_codes.title is 'What it means.';
comment on column ops.error_codes.hint is 'What to do.';

create table ops.jobs (
  name text primary key,
  schedule text not null,
  command text not null,
  enabled boolean not null default true,
  description text not null,
  constraint jobs_schedule_has_five_fields check (schedule ~ '^\S+( \S+){4}$')
);
comment on table ops.jobs is 'Catalogue of scheduled work, reconciled to pg_cron by ops.reconcile_jobs() (global).';
comment on column ops.jobs.name is 'Name of the job in pg_cron.';
comment on column ops.jobs.schedule is 'Cron expression, GMT, one-minute grain.';
comment on column ops.jobs.command is 'One call.';
comment on column ops.jobs.enabled is 'False: not scheduled.';
comment on column ops.jobs.description is 'What it is for.';

create table ops.alerts (
  id uuid primary key default gen_random_uuid(),
  enterprise_id uuid references platform.enterprises (id),
  alert_key text not null,
  severity review.severity not null,
  message text not null,
  detail jsonb not null default '{}',
  state ops.alert_state not null default 'OPEN',
  raised_at timestamptz not null default now(),
  cleared_at timestamptz,
  constraint alerts_cleared_have_a_time check ((state = 'CLEARED') = (cleared_at is not null))
);
create unique index alerts_open_key on ops.alerts (enterprise_id, alert_key) nulls not distinct where state <> 'CLEARED';
create index alerts_raised_at_idx on ops.alerts (raised_at);
comment on table ops.alerts is 'The one place for alerts; enterprise_id null: about the installation.';
comment on column ops.alerts.id is 'Alert.';
comment on column ops.alerts.enterprise_id is 'Tenant; null: the installation.';
comment on column ops.alerts.alert_key is 'What is wrong; one open alert per key.';
comment on column ops.alerts.severity is 'How bad.';
comment on column ops.alerts.message is 'What is wrong, in words.';
comment on column ops.alerts.detail is 'Figures.';
comment on column ops.alerts.state is 'Where it stands.';
comment on column ops.alerts.raised_at is 'When it was raised.';
comment on column ops.alerts.cleared_at is 'When it was cleared.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'audit.audit_log',
    'ops.error_codes',
    'ops.jobs',
    'ops.alerts']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
