-- What PgBouncer needs in CrewPay's database; once, as a superuser (only one may read password verifiers):
--
--   psql -d crewpay -f pgbouncer.sql
--   psql -d crewpay -c '\password crewpay_pgbouncer'      -- the same goes into userlist.txt
--
-- The function hands out the verifiers of pools' logins and of nobody else: not of people, operators, superusers.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'crewpay_pgbouncer') then
    create role crewpay_pgbouncer login noinherit;
  end if;
  execute pg_catalog.format('grant connect on database %I to crewpay_pgbouncer', pg_catalog.current_database());
end
$$;

create schema if not exists pgbouncer;
revoke all on schema pgbouncer from public;
grant usage on schema pgbouncer to crewpay_pgbouncer;
comment on schema pgbouncer is 'PgBouncer asks here for the password verifiers of pools.';

create or replace function pgbouncer.user_lookup(p_login text, out uname name, out phash text)
returns setof record
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select r.rolname, r.rolpassword
  from pg_catalog.pg_authid r
  join auth.pools p on p.login = r.rolname and p.active
  where r.rolname = p_login
    and r.rolcanlogin
    and r.rolpassword is not null
    and (r.rolvaliduntil is null or r.rolvaliduntil > pg_catalog.now())
    and not (r.rolsuper or r.rolreplication or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb);
$$;
revoke all on function pgbouncer.user_lookup(text) from public;
grant execute on function pgbouncer.user_lookup(text) to crewpay_pgbouncer;
comment on function pgbouncer.user_lookup(text) is
  'Login and password verifier of a pool; no row for anybody else.
p_login: who connects to PgBouncer.';
