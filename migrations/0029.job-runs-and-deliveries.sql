-- Runs of scheduled jobs; delivery of notifications: where they go, what was sent, what waits.

alter table ops.jobs
  add column per_enterprise boolean not null default false,
  add column max_lateness interval not null default '15 minutes',
  add column max_duration interval not null default '10 minutes',
  add column enabled_at timestamptz not null default now(),
  add constraint jobs_limits_are_positive check (max_lateness > interval '0' and max_duration > interval '0');
comment on column ops.jobs.per_enterprise is 'Whether it runs once for each enterprise, each in a transaction of its own.';
comment on column ops.jobs.max_lateness is 'How long after its time a run may begin before an alert is raised.';
comment on column ops.jobs.max_duration is 'How long a run may take before an alert is raised.';
comment on column ops.jobs.enabled_at is 'Since when it is due: what was due before isn''t late.';

create type ops.job_state as enum ('RUNNING', 'SUCCEEDED', 'FAILED', 'LOST');
comment on type ops.job_state is 'RUNNING → SUCCEEDED or FAILED; LOST: its session ended without a word.';

create table ops.job_runs (
  id bigint generated always as identity primary key,
  enterprise_id uuid references platform.enterprises (id),
  job_name text not null references ops.jobs (name) on delete cascade,
  state ops.job_state not null default 'RUNNING',
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  backend_pid integer not null default pg_backend_pid(),
  started_by name not null default session_user,
  result text,
  error_code text,
  error_message text,
  constraint job_runs_finished_have_a_time check ((state = 'RUNNING') = (finished_at is null)),
  constraint job_runs_failures_have_a_code check ((state = 'FAILED') = (error_code is not null))
);
create unique index job_runs_running_key on ops.job_runs (enterprise_id, job_name) nulls not distinct where state = 'RUNNING';
create index job_runs_job_name_idx on ops.job_runs (job_name, started_at desc);
create index job_runs_enterprise_id_idx on ops.job_runs (enterprise_id, job_name, started_at desc);
comment on table ops.job_runs is 'History of scheduled work; enterprise_id null: for the installation.';
comment on column ops.job_runs.id is 'Run.';
comment on column ops.job_runs.enterprise_id is 'Enterprise it worked for; null: the installation.';
comment on column ops.job_runs.job_name is 'Job.';
comment on column ops.job_runs.state is 'Where it stands.';
comment on column ops.job_runs.started_at is 'When it began.';
comment on column ops.job_runs.finished_at is 'When it ended, or was found to have ended.';
comment on column ops.job_runs.backend_pid is 'Server process that runs it.';
comment on column ops.job_runs.started_by is 'Login that runs it.';
comment on column ops.job_runs.result is 'What its function returned.';
comment on column ops.job_runs.error_code is 'SQLSTATE of a failure.';
comment on column ops.job_runs.error_message is 'What the failure said.';

create type notify.delivery_state as enum ('WAITING', 'SENDING', 'SENT', 'FAILED');
comment on type notify.delivery_state is 'WAITING → SENDING → SENT, back to WAITING for another try, or FAILED for good.';

create table notify.contacts (
  enterprise_id uuid not null references platform.enterprises (id),
  crew_member_id uuid not null,
  delivery_method notify.delivery_method not null,
  address text not null,
  updated_at timestamptz not null default now(),
  constraint contacts_pkey primary key (enterprise_id, crew_member_id, delivery_method),
  constraint contacts_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint contacts_are_of_channels check (delivery_method <> 'IN_APP'),
  constraint contacts_look_like_addresses check (case delivery_method
    when 'EMAIL' then address ~ '^[^@\s<>,;:"]+@[^@\s<>,;:"]+\.[^@\s<>,;:"]+$' and length(address) <= 254
    when 'SMS' then address ~ '^\+[1-9][0-9]{6,14}$'
    else address ~ '^\S{1,512}$' end)
);
comment on table notify.contacts is 'Where a crew member can be reached: e-mail address, telephone number (E.164), device token.';
comment on column notify.contacts.enterprise_id is 'Tenant.';
comment on column notify.contacts.crew_member_id is 'Who.';
comment on column notify.contacts.delivery_method is 'Channel.';
comment on column notify.contacts.address is 'Address in the channel.';
comment on column notify.contacts.updated_at is 'When it was given.';

create table notify.preferences (
  enterprise_id uuid not null references platform.enterprises (id),
  crew_member_id uuid not null,
  delivery_methods notify.delivery_method[] not null default '{EMAIL}',
  muted_types notify.notification_type[] not null default '{}',
  quiet_from time,
  quiet_to time,
  updated_at timestamptz not null default now(),
  constraint preferences_pkey primary key (enterprise_id, crew_member_id),
  constraint preferences_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint preferences_quiet_hours_begin_and_end check (num_nulls(quiet_from, quiet_to) <> 1 and quiet_from <> quiet_to)
);
comment on table notify.preferences is 'How a crew member wants to be told; the message in the application itself always comes.';
comment on column notify.preferences.enterprise_id is 'Tenant.';
comment on column notify.preferences.crew_member_id is 'Who.';
comment on column notify.preferences.delivery_methods is 'Channels beside the application.';
comment on column notify.preferences.muted_types is 'Types that come in the application only.';
comment on column notify.preferences.quiet_from is 'From then nothing is sent (base clock); null: no quiet hours.';
comment on column notify.preferences.quiet_to is 'What waits is sent then.';
comment on column notify.preferences.updated_at is 'When they were chosen.';

create table notify.templates (
  notification_type notify.notification_type not null,
  event text not null,
  title text not null,
  message text not null,
  constraint templates_pkey primary key (notification_type, event)
);
comment on table notify.templates is 'Texts of notifications, with {names} to be filled in (global).';
comment on column notify.templates.notification_type is 'Type of the notification.';
comment on column notify.templates.event is 'What happened, e.g. claim_decided.';
comment on column notify.templates.title is 'Title; {name} stands for a value of the call.';
comment on column notify.templates.message is 'Message; {name} stands for a value of the call.';

-- The same event about the same thing is told once.
alter table notify.notifications
  add column event text,
  add column event_key text;
create unique index notifications_event_key on notify.notifications (enterprise_id, crew_member_id, event, event_key, delivery_method)
  where event_key is not null;
comment on column notify.notifications.event is 'What happened: with the type the key of its template; null for texts of other systems.';
comment on column notify.notifications.event_key is 'What it happened to: the same event is told once.';

create table notify.deliveries (
  enterprise_id uuid not null references platform.enterprises (id),
  notification_id uuid not null,
  delivery_method notify.delivery_method not null,
  state notify.delivery_state not null default 'WAITING',
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  claimed_until timestamptz,
  last_error text,
  receipt text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint deliveries_pkey primary key (enterprise_id, notification_id),
  constraint deliveries_notification_fkey foreign key (enterprise_id, notification_id) references notify.notifications (enterprise_id, id),
  constraint deliveries_are_of_channels check (delivery_method <> 'IN_APP'),
  constraint deliveries_sending_are_claimed check ((state = 'SENDING') = (claimed_until is not null)),
  constraint deliveries_finished_have_a_time check ((state in ('SENT', 'FAILED')) = (finished_at is not null))
);
create index deliveries_due_idx on notify.deliveries (enterprise_id, due_at) where state in ('WAITING', 'SENDING');
comment on table notify.deliveries is 'Outbox: what goes out by e-mail, SMS or push, one row a notification; its key is the receiver''s idempotency key.';
comment on column notify.deliveries.enterprise_id is 'Tenant.';
comment on column notify.deliveries.notification_id is 'Notification to deliver.';
comment on column notify.deliveries.delivery_method is 'Channel.';
comment on column notify.deliveries.state is 'Where it stands.';
comment on column notify.deliveries.attempts is 'How often it was tried.';
comment on column notify.deliveries.due_at is 'Not before: quiet hours, or the wait before another try.';
comment on column notify.deliveries.claimed_until is 'A worker has it until then; later another may take it.';
comment on column notify.deliveries.last_error is 'What the last try said.';
comment on column notify.deliveries.receipt is 'What the receiver answered, e.g. its message id.';
comment on column notify.deliveries.created_at is 'When it was put in.';
comment on column notify.deliveries.finished_at is 'When it was sent, or given up.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'ops.job_runs',
    'notify.contacts',
    'notify.preferences',
    'notify.templates',
    'notify.deliveries']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;

-- Now ops.purge_job_history(), of both histories.
drop function if exists ops.purge_cron_history(interval);
