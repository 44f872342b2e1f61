-- Row-level security of schema auth.

-- Not "or same tenant": the identity functions read this table, and a policy that asks them would never end.
drop policy if exists definer_self on auth.principals;
create policy definer_self on auth.principals
  for select to crewpay_definer
  using (login = session_user);
comment on policy definer_self on auth.principals is 'Functions find the memberships of the login that called them, and no others.';

drop policy if exists admin_tenant_principals on auth.principals;
create policy admin_tenant_principals on auth.principals
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_tenant_principals on auth.principals is 'Administrators see who may act in their enterprise; only operators change it.';
