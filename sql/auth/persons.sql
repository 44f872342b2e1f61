-- Which person stands behind which login: functions that keep duties apart compare persons, and only they may ask.

create or replace function auth.persons()
returns table (actor text, role auth.app_role, person_id uuid)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select p.login::text, p.role, p.person_id
  from auth.principals p
  where p.enterprise_id = auth.enterprise_id()
    and p.active
    and p.person_id is not null
  union
  select o.login || '/' || coalesce(p.crew_member_id, p.user_id), p.role, p.person_id
  from auth.principals p
  join auth.pools o on o.role = p.role
  where p.enterprise_id = auth.enterprise_id()
    and p.active
    and p.person_id is not null
$$;
revoke all on function auth.persons() from public;
grant execute on function auth.persons() to crewpay_definer;
comment on function auth.persons() is
  'The actors of the caller''s enterprise behind whom a person stands, as the audit trail names them: logins, and pool/user. Called by
functions only. Belongs to crewpay_owner: functions otherwise see the caller''s own membership only.';
