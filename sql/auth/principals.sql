-- Principals: made by operators (as crewpay_owner), read by nobody but their administrators.

-- One login, one role: two memberships with different roles would mix two sets of rights.
create or replace function auth.tg_one_role()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from auth.principals p
    where p.login = new.login
      and p.role <> new.role
      and p.enterprise_id <> new.enterprise_id
  ) then
    raise exception using
      errcode = 'CP301',
      message = format('login %s already has another role', new.login),
      hint = 'Make a second login for the second role.';
  end if;
  if exists (select from auth.pools p where p.login = new.login) then
    raise exception using
      errcode = 'CP301',
      message = format('login %s is that of a pool', new.login),
      hint = 'People behind a pool come by tokens; make another login for direct access.';
  end if;
  return new;
end $$;
revoke all on function auth.tg_one_role() from public;
comment on function auth.tg_one_role() is
  'Trigger: a login has the same role in every enterprise it belongs to, and is not that of a pool.
Errors: CP301.';

create or replace trigger principals_10_one_role
  before insert or update on auth.principals
  for each row execute function auth.tg_one_role();
comment on trigger principals_10_one_role on auth.principals is 'One login, one role (CP301).';

-- Scheduled jobs visit every tenant, so every new tenant admits them.
create or replace function auth.tg_admit_jobs()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into auth.principals (login, enterprise_id, role)
  values ('crewpay_jobs', new.id, 'jobs')
  on conflict do nothing;
  return null;
end $$;
revoke all on function auth.tg_admit_jobs() from public;
comment on function auth.tg_admit_jobs() is 'Trigger: makes the jobs'' login a member of a new enterprise.';

create or replace trigger enterprises_50_admit_jobs
  after insert on platform.enterprises
  for each row execute function auth.tg_admit_jobs();
comment on trigger enterprises_50_admit_jobs on platform.enterprises is 'Scheduled jobs work for every enterprise.';

-- The person is read from the crew member or user, never given: separation of duties rests on it.
create or replace function auth.create_principal(
  p_login name,
  p_enterprise_id uuid,
  p_role auth.app_role,
  p_crew_member_id uuid default null,
  p_user_id uuid default null)
returns auth.principals
language sql
set search_path = pg_catalog, pg_temp
begin atomic
  insert into auth.principals as p (login, enterprise_id, role, crew_member_id, user_id, person_id)
  values (
    p_login, p_enterprise_id, p_role, p_crew_member_id, p_user_id,
    coalesce(
      (select c.person_id from crew.crew_members c where c.enterprise_id = p_enterprise_id and c.id = p_crew_member_id),
      (select u.person_id from platform.users u where u.enterprise_id = p_enterprise_id and u.id = p_user_id)))
  on conflict (login, enterprise_id) do update
    set role = excluded.role,
        crew_member_id = excluded.crew_member_id,
        user_id = excluded.user_id,
        person_id = excluded.person_id,
        active = true
  returning p.*;
end;
revoke all on function auth.create_principal(name, uuid, auth.app_role, uuid, uuid) from public;
comment on function auth.create_principal(name, uuid, auth.app_role, uuid, uuid) is
  'Lets a login act in an enterprise (operators only). Grant the login its database role as well, e.g. crewpay_crew.
p_login: database login; p_enterprise_id: tenant; p_role: its role there; p_crew_member_id or p_user_id: the person behind it, none for services.
Errors: 23503 unknown tenant, crew member or user; 23514 crew without crew member; CP301 the login has another role elsewhere.';
