-- Row-level security of schema review. Discrepancies and claims change through functions only.

drop policy if exists definer_tenant on review.discrepancies;
create policy definer_tenant on review.discrepancies
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.discrepancies is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_discrepancies on review.discrepancies;
create policy crew_own_discrepancies on review.discrepancies
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_discrepancies on review.discrepancies is 'Crew see what is wrong with their pay.';

drop policy if exists admin_all_data on review.discrepancies;
create policy admin_all_data on review.discrepancies
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on review.discrepancies is 'Administrators see all discrepancies of their enterprise; functions resolve them.';

drop policy if exists tenant_read on review.discrepancies;
create policy tenant_read on review.discrepancies
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.discrepancies is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on review.claims;
create policy definer_tenant on review.claims
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.claims is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_claims on review.claims;
create policy crew_own_claims on review.claims
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_claims on review.claims is 'Crew see their own claims.';

drop policy if exists admin_all_data on review.claims;
create policy admin_all_data on review.claims
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on review.claims is 'Administrators see all claims of their enterprise; functions decide them.';

drop policy if exists tenant_read on review.claims;
create policy tenant_read on review.claims
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.claims is 'Read: all rows of the own enterprise.';

drop policy if exists global_read on review.checks;
create policy global_read on review.checks
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs
  using (true);
comment on policy global_read on review.checks is 'Global: whoever has a grant may read the catalogue.';

drop policy if exists definer_tenant on review.detections;
create policy definer_tenant on review.detections
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.detections is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.detections;
create policy tenant_read on review.detections
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.detections is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on review.parallel_lines;
create policy definer_tenant on review.parallel_lines
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.parallel_lines is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.parallel_lines;
create policy tenant_read on review.parallel_lines
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.parallel_lines is 'Read: all rows of the own enterprise.';
