-- Who is asking. A custom setting can be set by anyone who can type SQL, so it never says who somebody is:
-- identity comes from the login (session_user), which neither SET ROLE nor a setting changes.
-- app.current_enterprise_id only selects among the login's own enterprises.
--
--   login is …                          app.current_enterprise_id   principal
--   unknown or inactive                 not set                     null: sees no rows
--   crewpay_jobs                        not set                     role jobs, no enterprise: the installation's rows only
--   member of one enterprise            not set                     that membership
--   member of several                   not set                     the role, no enterprise: sees no tenant's rows
--   member of the one selected          set                         that membership
--   anything else, or not a uuid        set                         SQLSTATE 28000
--   a pool's, after auth.login(token)   not set, or the token's     the token's person, for this transaction
--   a pool's, without                   not set                     null: sees no rows
--
-- Policies and functions ask auth.uid(), person(), role() and enterprise_id(); all four read auth.principal(), the one
-- place that decides. In policies they stand as (select auth.…()): evaluated once per statement, not once per row.
-- Those that take one field of it are SQL expressions, which become part of the query that asks.

-- The rule of the table above. Belongs to crewpay_owner, since nobody else may read the key of contexts (tokens.sql).
create or replace function auth.principal()
returns auth.principals
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_selected text;
  v_context text;
  v_bound text;
  v_body text;
  v_key bytea;
  v_given bytea;
  v_expected bytea;
  v_genuine boolean;
  v_leader integer;
  v_part text[];
  v_principal auth.principals;
  v_row auth.principals;
  v_is_member boolean;
  v_memberships integer;
begin
  -- What nearly every statement asks, in as few expressions as can be: each costs, in each transaction anew.
  if coalesce(current_setting('app.context', true), '') || coalesce(current_setting('app.current_enterprise_id', true), '') = '' then
    for v_principal in
      select p.*
      from auth.principals p
      where p.login = session_user
        and p.active
    loop
      if v_is_member then
        v_is_member := false;
        exit;
      end if;
      v_is_member := true;
    end loop;
    if v_is_member then
      return v_principal;
    elsif v_is_member is null and session_user <> 'crewpay_jobs' then
      return null;
    end if;
    v_principal := null;
  end if;

  v_selected := nullif(current_setting('app.current_enterprise_id', true), '');
  v_context := nullif(current_setting('app.context', true), '');
  if v_selected is not null and v_selected !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    raise exception using
      errcode = '28000',
      message = 'app.current_enterprise_id is not a uuid',
      hint = 'Set it to the id of one of your own enterprises, or reset it.';
  end if;
  if v_context is not null then
    -- Verified or refused; what the login is by itself doesn't count then.
    if octet_length(v_context) <= 400 then
      v_body := left(v_context, -64);
      v_bound := '|' || extract(epoch from transaction_timestamp()) || '|' || session_user;
      select c.secret into v_key from auth.context_keys c;
      -- Compared under a further HMAC: how long the comparison takes tells nothing about the bytes expected.
      v_given := ext.hmac(convert_to(right(v_context, 64), 'UTF8'), v_key, 'sha256');
      v_expected := ext.hmac(convert_to(v_body || pg_backend_pid() || v_bound, 'UTF8'), v_key, 'sha256');
      v_genuine := v_given = ext.hmac(encode(v_expected, 'hex')::bytea, v_key, 'sha256');
      if v_genuine is not true then
        -- In a parallel worker the context is the leader's.
        select a.leader_pid into v_leader from pg_stat_get_activity(pg_backend_pid()) a;
        v_expected := ext.hmac(convert_to(v_body || v_leader || v_bound, 'UTF8'), v_key, 'sha256');
        v_genuine := v_given = ext.hmac(encode(v_expected, 'hex')::bytea, v_key, 'sha256');
      end if;
    end if;
    if v_genuine then
      v_part := string_to_array(v_body, '|', '');
    end if;
    if v_genuine is not true or v_part[6]::bigint <= extract(epoch from statement_timestamp()) then
      raise log 'crewpay: context refused: %, login %, address %',
        case when v_genuine then 'expired' else 'forged' end, session_user, coalesce(host(inet_client_addr()), 'local');
      raise exception using
        errcode = '28000',
        message = format('the context of this transaction is refused: %s', case when v_genuine then 'expired' else 'forged' end),
        hint = 'Begin a transaction, and call auth.login() with a valid token first.';
    end if;
    if v_selected::uuid <> v_part[2]::uuid then
      raise exception using
        errcode = '28000',
        message = 'app.current_enterprise_id is not the enterprise of the token',
        hint = 'Reset it: a token is for one enterprise.';
    end if;
    v_principal.login := session_user;
    v_principal.role := v_part[1]::auth.app_role;
    v_principal.enterprise_id := v_part[2]::uuid;
    v_principal.crew_member_id := v_part[3]::uuid;
    v_principal.user_id := v_part[4]::uuid;
    v_principal.person_id := v_part[5]::uuid;
    v_principal.active := true;
    return v_principal;
  end if;
  v_memberships := 0;
  for v_row in
    select p.*
    from auth.principals p
    where p.login = session_user
      and p.active
      and (v_selected is null or p.enterprise_id = v_selected::uuid)
  loop
    v_memberships := v_memberships + 1;
    if v_memberships = 1 then
      v_principal := v_row;
    else
      v_principal.enterprise_id := null;
      v_principal.crew_member_id := null;
      v_principal.user_id := null;
      if v_principal.role is distinct from v_row.role then
        v_principal.role := null;
      end if;
      if v_principal.person_id is distinct from v_row.person_id then
        v_principal.person_id := null;
      end if;
    end if;
  end loop;
  if v_memberships = 0 then
    if v_selected is not null then
      raise exception using
        errcode = '28000',
        message = 'app.current_enterprise_id names no enterprise of this login',
        hint = 'Set it to the id of one of your own enterprises, or reset it.';
    end if;
    if session_user = 'crewpay_jobs' then
      -- The scheduler works for the installation, too, and before there is an enterprise.
      v_principal.login := session_user;
      v_principal.role := 'jobs';
      return v_principal;
    end if;
    return null;
  end if;
  return v_principal;
end $$;
alter function auth.principal() owner to crewpay_owner;
revoke all on function auth.principal() from public;
grant execute on function auth.principal() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs, crewpay_definer;
comment on function auth.principal() is
  'The membership under which this login acts, or whom the token of auth.login() stands for; null for an unknown login.
Members of several enterprises select one with the setting app.current_enterprise_id; without it only what is common to all is known.
Errors: 28000 when the setting is no uuid or names an enterprise the login does not belong to, or the context is refused.';

-- Crew are themselves; everybody else who is a person is a user.
create or replace function auth.uid()
returns uuid
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_principal auth.principals := auth.principal();
begin
  return coalesce(v_principal.crew_member_id, v_principal.user_id);
end $$;
alter function auth.uid() owner to crewpay_owner;
revoke all on function auth.uid() from public;
grant execute on function auth.uid() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs, crewpay_definer;
comment on function auth.uid() is
  'Who is asking: crew_members.id of crew, else users.id; null for services and unknown logins.
Errors: 28000 as auth.principal().';

-- One human being may have several logins; separation of duties compares persons.
create or replace function auth.person()
returns uuid
language sql stable parallel safe
return (auth.principal()).person_id;
alter function auth.person() owner to crewpay_owner;
revoke all on function auth.person() from public;
grant execute on function auth.person() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs, crewpay_definer;
comment on function auth.person() is
  'The human being who is asking, the same for all of a person''s logins; null for services and unknown logins.
Errors: 28000 as auth.principal().';

-- The role comes from the membership, never from a setting or a claim.
create or replace function auth.role()
returns text
language sql stable parallel safe
return (auth.principal()).role::text;
alter function auth.role() owner to crewpay_owner;
revoke all on function auth.role() from public;
grant execute on function auth.role() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs, crewpay_definer;
comment on function auth.role() is
  'Role of who is asking: crew, admin, payroll, service_role, bi, sync or jobs; null for unknown logins.
Errors: 28000 as auth.principal().';

-- No enterprise, no rows: a comparison with null lets nothing through.
create or replace function auth.enterprise_id()
returns uuid
language sql stable parallel safe
return (auth.principal()).enterprise_id;
alter function auth.enterprise_id() owner to crewpay_owner;
revoke all on function auth.enterprise_id() from public;
grant execute on function auth.enterprise_id() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs, crewpay_definer;
comment on function auth.enterprise_id() is
  'The tenant of who is asking; null for unknown logins and for members of several who selected none.
Errors: 28000 as auth.principal().';

-- Jobs and members of several enterprises go through them one by one, selecting each.
create or replace function auth.enterprises()
returns setof uuid
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if nullif(current_setting('app.context', true), '') is not null then
    return query select auth.enterprise_id();
    return;
  end if;
  return query
    select p.enterprise_id
    from auth.principals p
    where p.login = session_user
      and p.active
    order by p.enterprise_id;
end $$;
alter function auth.enterprises() owner to crewpay_definer;
revoke all on function auth.enterprises() from public;
grant execute on function auth.enterprises() to
  crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs, crewpay_owner;
comment on function auth.enterprises() is
  'The enterprises this login belongs to, each of which app.current_enterprise_id may select; with a token, its enterprise.
Errors: 28000 as auth.principal().';

-- Definer functions ask this first; policies don't protect what a function does in its own name.
create or replace function auth.require_role(variadic p_roles text[])
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role text := auth.role();
begin
  if v_role = any (p_roles) then
    return;
  end if;
  raise exception using
    errcode = '42501',
    message = format('this needs the role %s', array_to_string(p_roles, ' or ')),
    detail = format('Login %s has %s.', session_user, coalesce('the role ' || v_role, 'no role')),
    hint = 'Log in as somebody who has the role, or ask an operator for a principal (auth.create_principal).';
end $$;
revoke all on function auth.require_role(text[]) from public;
grant execute on function auth.require_role(text[]) to
  crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
comment on function auth.require_role(text[]) is
  'Refuses callers whose role is none of those named.
p_roles: names as auth.role() returns them.
Errors: 42501.';
