-- Row-level security of schema notify. Notifications are written and marked read by functions only.

drop policy if exists definer_tenant on notify.notifications;
create policy definer_tenant on notify.notifications
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on notify.notifications is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_notifications on notify.notifications;
create policy crew_own_notifications on notify.notifications
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_notifications on notify.notifications is 'Crew see their own notifications.';

drop policy if exists admin_all_data on notify.notifications;
create policy admin_all_data on notify.notifications
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on notify.notifications is 'Administrators see all notifications of their enterprise.';

drop policy if exists tenant_read on notify.notifications;
create policy tenant_read on notify.notifications
  for select to crewpay_service
  using ((select auth.role() = 'service_role')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on notify.notifications is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on notify.contacts;
create policy definer_tenant on notify.contacts
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on notify.contacts is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on notify.preferences;
create policy definer_tenant on notify.preferences
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on notify.preferences is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on notify.deliveries;
create policy definer_tenant on notify.deliveries
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on notify.deliveries is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_contacts on notify.contacts;
create policy crew_own_contacts on notify.contacts
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_contacts on notify.contacts is 'Crew see their own; nobody else reads them.';

drop policy if exists crew_own_preferences on notify.preferences;
create policy crew_own_preferences on notify.preferences
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_preferences on notify.preferences is 'Crew see their own; nobody else reads them.';

drop policy if exists admin_all_data on notify.deliveries;
create policy admin_all_data on notify.deliveries
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on notify.deliveries is 'Administrators see what went out in their enterprise, not to which address.';

drop policy if exists global_read on notify.templates;
create policy global_read on notify.templates
  for select to crewpay_definer, crewpay_admin, crewpay_payroll
  using (true);
comment on policy global_read on notify.templates is 'Global: whoever has a grant may read.';
