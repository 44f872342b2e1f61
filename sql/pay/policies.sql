-- Row-level security of schema pay. Results are written by functions only, whoever asks.

drop policy if exists definer_tenant on pay.pay_periods;
create policy definer_tenant on pay.pay_periods
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.pay_periods is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on pay.pay_periods;
create policy admin_all_data on pay.pay_periods
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on pay.pay_periods is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on pay.pay_periods;
create policy tenant_read on pay.pay_periods
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.pay_periods is 'Read: the own enterprise''s calendar is open to all of its people.';

drop policy if exists definer_tenant on pay.pay_runs;
create policy definer_tenant on pay.pay_runs
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.pay_runs is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_published_runs on pay.pay_runs;
create policy crew_published_runs on pay.pay_runs
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and kind in ('REGULAR', 'PROJECTION')
    and state in ('published', 'superseded'));
comment on policy crew_published_runs on pay.pay_runs is 'Crew see that a run was made (not its totals: columns are granted), never what-ifs, back pay not yet approved or unfinished runs.';

drop policy if exists tenant_read on pay.pay_runs;
create policy tenant_read on pay.pay_runs
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.pay_runs is 'Read: all rows of the own enterprise.';

drop policy if exists bi_finished_runs on pay.pay_runs;
create policy bi_finished_runs on pay.pay_runs
  for select to crewpay_bi
  using ((select auth.role() = 'bi')
    and enterprise_id = (select auth.enterprise_id())
    and state in ('published', 'superseded'));
comment on policy bi_finished_runs on pay.pay_runs is 'BI sees finished runs.';

drop policy if exists definer_tenant on pay.pay_calculations;
create policy definer_tenant on pay.pay_calculations
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.pay_calculations is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_pay on pay.pay_calculations;
create policy crew_own_pay on pay.pay_calculations
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_pay on pay.pay_calculations is 'Crew see their own pay.';

drop policy if exists admin_all_data on pay.pay_calculations;
create policy admin_all_data on pay.pay_calculations
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on pay.pay_calculations is 'Administrators see all pay of their enterprise; only functions write it.';

drop policy if exists tenant_read on pay.pay_calculations;
create policy tenant_read on pay.pay_calculations
  for select to crewpay_payroll, crewpay_bi
  using ((select auth.role() in ('payroll', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.pay_calculations is 'Read: all rows of the own enterprise.';

drop policy if exists ai_agent_service_role on pay.pay_calculations;
create policy ai_agent_service_role on pay.pay_calculations
  for select to crewpay_service
  using ((select auth.role() = 'service_role')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy ai_agent_service_role on pay.pay_calculations is 'Services (AI agents) see all pay of their enterprise; only functions write it.';

drop policy if exists definer_tenant on pay.calculation_versions;
create policy definer_tenant on pay.calculation_versions
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.calculation_versions is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_versions on pay.calculation_versions;
create policy crew_own_versions on pay.calculation_versions
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid())
    and run_id in (
      select r.id
      from pay.pay_runs r
      where r.enterprise_id = (select auth.enterprise_id())
        and r.kind in ('REGULAR', 'PROJECTION')
        and r.state in ('published', 'superseded')));
comment on policy crew_own_versions on pay.calculation_versions is 'Crew see their own earlier results and projections; what a proposed contract would pay them is not theirs to see.';

drop policy if exists tenant_read on pay.calculation_versions;
create policy tenant_read on pay.calculation_versions
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id())
    and run_id in (
      select r.id
      from pay.pay_runs r
      where r.enterprise_id = (select auth.enterprise_id())
        and r.state in ('published', 'superseded')));
comment on policy tenant_read on pay.calculation_versions is 'Read: results of finished runs of the own enterprise; a run in progress or failed is invisible.';

drop policy if exists definer_tenant on pay.run_findings;
create policy definer_tenant on pay.run_findings
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.run_findings is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.run_findings;
create policy tenant_read on pay.run_findings
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id())
    and run_id in (
      select r.id
      from pay.pay_runs r
      where r.enterprise_id = (select auth.enterprise_id())
        and r.state in ('published', 'superseded')));
comment on policy tenant_read on pay.run_findings is 'Read: findings of finished runs of the own enterprise.';

drop policy if exists definer_tenant on pay.run_slices;
create policy definer_tenant on pay.run_slices
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.run_slices is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on pay.slice_results;
create policy definer_tenant on pay.slice_results
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.slice_results is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on pay.payroll_payments;
create policy definer_tenant on pay.payroll_payments
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.payroll_payments is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_payments on pay.payroll_payments;
create policy crew_own_payments on pay.payroll_payments
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_payments on pay.payroll_payments is 'Crew see what they were paid.';

drop policy if exists tenant_read on pay.payroll_payments;
create policy tenant_read on pay.payroll_payments
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.payroll_payments is 'Read: all rows of the own enterprise.';

drop policy if exists payroll_insert on pay.payroll_payments;
create policy payroll_insert on pay.payroll_payments
  for insert to crewpay_payroll
  with check ((select auth.role() = 'payroll') and enterprise_id = (select auth.enterprise_id()));
comment on policy payroll_insert on pay.payroll_payments is 'Payroll clerks record what was paid.';
