-- Row-level security and grants of claims' own tables; review.claims itself is in policies.sql. They change through functions only.

drop policy if exists definer_tenant on review.holidays;
create policy definer_tenant on review.holidays
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.holidays is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.holidays;
create policy tenant_read on review.holidays
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.holidays is 'Read: the calendar of the own enterprise.';

drop policy if exists definer_tenant on review.claim_numbers;
create policy definer_tenant on review.claim_numbers
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.claim_numbers is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on review.claim_reviews;
create policy definer_tenant on review.claim_reviews
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.claim_reviews is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.claim_reviews;
create policy tenant_read on review.claim_reviews
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.claim_reviews is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on review.claim_lines;
create policy definer_tenant on review.claim_lines
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.claim_lines is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.claim_lines;
create policy tenant_read on review.claim_lines
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.claim_lines is 'Read: all rows of the own enterprise.';

drop policy if exists crew_own_claims on review.claim_lines;
create policy crew_own_claims on review.claim_lines
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and claim_id in (
      select c.id from review.claims as c
      where c.enterprise_id = (select auth.enterprise_id()) and c.crew_member_id = (select auth.uid())));
comment on policy crew_own_claims on review.claim_lines is 'Crew see the lines of their own claims.';

drop policy if exists definer_tenant on review.claim_evidence;
create policy definer_tenant on review.claim_evidence
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on review.claim_evidence is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on review.claim_evidence;
create policy tenant_read on review.claim_evidence
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on review.claim_evidence is 'Read: all rows of the own enterprise.';

drop policy if exists crew_own_claims on review.claim_evidence;
create policy crew_own_claims on review.claim_evidence
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and claim_id in (
      select c.id from review.claims as c
      where c.enterprise_id = (select auth.enterprise_id()) and c.crew_member_id = (select auth.uid())));
comment on policy crew_own_claims on review.claim_evidence is 'Crew see the evidence of their own claims.';

grant select, insert, delete on review.holidays to crewpay_definer;
grant select on review.holidays to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service;
grant select, insert, update on review.claim_numbers to crewpay_definer;
grant select, insert on review.claim_reviews, review.claim_evidence to crewpay_definer;
grant select, insert, update, delete on review.claim_lines to crewpay_definer;
grant select on review.claim_lines, review.claim_evidence to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service;
grant select on review.claim_reviews to crewpay_admin, crewpay_payroll, crewpay_service;
