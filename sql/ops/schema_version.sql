-- What is deployed here.

create or replace view ops.schema_version
with (security_invoker = true, security_barrier = true)
as
select
  m.id as migration,
  m.applied_at,
  m.sha256,
  r.version as deployed_version,
  r.finished_at as deployed_at,
  r.by as deployed_by
from deploy.migrations m
left join lateral (
  select d.version, d.finished_at, d.by
  from deploy.runs d
  where d.state = 'succeeded'
  order by d.id desc
  limit 1
) r on true
order by m.id desc;
comment on view ops.schema_version is 'Migrations in this database, the newest first, with the deploy that last changed anything.';
comment on column ops.schema_version.migration is 'Migration.';
comment on column ops.schema_version.applied_at is 'When it was applied.';
comment on column ops.schema_version.sha256 is 'Checksum of its file.';
comment on column ops.schema_version.deployed_version is 'Version of the last deploy that succeeded.';
comment on column ops.schema_version.deployed_at is 'When that deploy ended.';
comment on column ops.schema_version.deployed_by is 'Who ran it.';
grant usage on schema deploy to crewpay_admin, crewpay_jobs;
grant select on deploy.migrations, deploy.runs to crewpay_admin, crewpay_jobs;
grant select on ops.schema_version to crewpay_admin, crewpay_jobs;
