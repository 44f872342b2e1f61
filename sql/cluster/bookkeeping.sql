-- What deploy knows about this database. Made by deploy itself before any migration; read by ops.schema_version.

create schema if not exists deploy authorization crewpay_owner;
create schema if not exists yoyo authorization crewpay_owner;
comment on schema deploy is 'Bookkeeping of deploys: migrations with their checksums, statements in force, runs.';
comment on schema yoyo is 'Bookkeeping of the migration tool.';

create table if not exists deploy.migrations (
  id text primary key,
  sha256 text not null,
  applied_at timestamptz not null default now()
);
alter table deploy.migrations owner to crewpay_owner;
comment on table deploy.migrations is 'Migrations in this database; a row commits together with its migration.';
comment on column deploy.migrations.id is 'File name without .sql.';
comment on column deploy.migrations.sha256 is 'Checksum of the file when it was applied: an edited migration is refused.';
comment on column deploy.migrations.applied_at is 'When it was applied.';

create table if not exists deploy.statements (
  path text not null,
  ordinal integer not null,
  sha256 text not null,
  applied_at timestamptz not null default now(),
  primary key (path, ordinal)
);
alter table deploy.statements owner to crewpay_owner;
comment on table deploy.statements is 'Statements of sql/ in force: only what changed runs at the next deploy.';
comment on column deploy.statements.path is 'File, relative to sql/.';
comment on column deploy.statements.ordinal is 'Position of the statement (with what belongs to it) in the file, from 1.';
comment on column deploy.statements.sha256 is 'Checksum of its text.';
comment on column deploy.statements.applied_at is 'When it last ran.';

create table if not exists deploy.runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  by text not null default session_user,
  version text not null,
  state text not null default 'running'
    constraint runs_state_is_known check (state in ('running', 'succeeded', 'failed')),
  error text,
  migrations text[] not null default '{}',
  statements integer not null default 0
);
alter table deploy.runs owner to crewpay_owner;
comment on table deploy.runs is 'Deploys that changed something or failed.';
comment on column deploy.runs.id is 'Number of the run.';
comment on column deploy.runs.started_at is 'When it began.';
comment on column deploy.runs.finished_at is 'When it ended; null while running.';
comment on column deploy.runs.by is 'Login of the operator.';
comment on column deploy.runs.version is 'Version of the tree, with the commit when known.';
comment on column deploy.runs.state is 'running, succeeded or failed (also: found interrupted by the next run).';
comment on column deploy.runs.error is 'What went wrong.';
comment on column deploy.runs.migrations is 'Migrations that this run applied.';
comment on column deploy.runs.statements is 'How many statements of sql/ this run executed.';
