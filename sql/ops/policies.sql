-- Row-level security of schema ops.

drop policy if exists global_read on ops.error_codes;
create policy global_read on ops.error_codes
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs
  using (true);
comment on policy global_read on ops.error_codes is 'Global: whoever has a grant may read.';

drop policy if exists global_read on ops.jobs;
create policy global_read on ops.jobs
  for select to crewpay_definer, crewpay_admin, crewpay_jobs
  using (true);
comment on policy global_read on ops.jobs is 'Global: administrators and the scheduler read the catalogue of jobs.';

drop policy if exists definer_tenant on ops.alerts;
create policy definer_tenant on ops.alerts
  for all to crewpay_definer
  using ((enterprise_id is null or enterprise_id = (select auth.enterprise_id())))
  with check ((enterprise_id is null or enterprise_id = (select auth.enterprise_id())));
comment on policy definer_tenant on ops.alerts is 'Functions raise and clear alerts about the installation and the caller''s enterprise.';

drop policy if exists admin_all_data on ops.alerts;
create policy admin_all_data on ops.alerts
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on ops.alerts is 'Administrators see the alerts of their enterprise.';

drop policy if exists jobs_read on ops.alerts;
create policy jobs_read on ops.alerts
  for select to crewpay_jobs
  using ((select auth.role() = 'jobs')
    and (enterprise_id is null or enterprise_id = (select auth.enterprise_id())));
comment on policy jobs_read on ops.alerts is 'Jobs see alerts about the installation and the enterprise they work for.';

drop policy if exists definer_tenant on ops.job_runs;
create policy definer_tenant on ops.job_runs
  for all to crewpay_definer
  using ((enterprise_id is null or enterprise_id = (select auth.enterprise_id())))
  with check ((enterprise_id is null or enterprise_id = (select auth.enterprise_id())));
comment on policy definer_tenant on ops.job_runs is 'Functions record runs for the installation and the enterprise selected.';

drop policy if exists admin_all_data on ops.job_runs;
create policy admin_all_data on ops.job_runs
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on ops.job_runs is 'Administrators see the runs for their enterprise.';

drop policy if exists jobs_history on ops.job_runs;
create policy jobs_history on ops.job_runs
  for select to crewpay_jobs
  using ((select auth.role() = 'jobs')
    and (enterprise_id is null or enterprise_id = (select auth.enterprise_id())));
comment on policy jobs_history on ops.job_runs is 'The scheduler reads its runs.';
