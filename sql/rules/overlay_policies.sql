-- Row-level security and grants of term overlays: functions only.

drop policy if exists definer_tenant on rules.term_overlays;
create policy definer_tenant on rules.term_overlays
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.term_overlays is 'Functions act in the caller''s enterprise only.';

grant select, insert, delete on rules.term_overlays to crewpay_definer;
