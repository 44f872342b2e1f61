-- Pooled applications: many people share one login, so the login says nobody. A token does, for one transaction:
--
--   begin;
--   select auth.login($1);   -- verifies the token, or raises 28000
--   …                        -- the rows of its person, under row-level security
--   commit;                  -- nobody again
--
-- Token:   v1|kid|jti|uid|enterprise|role|login|exp|mac       HMAC-SHA256 by a key of auth.signing_keys
-- Context: setting app.context, local to the transaction:
--          role|enterprise|crew member|user|person|exp|mac    HMAC-SHA256 by auth.context_keys over all that, the server
--          process, the start of the transaction and the login
--
-- auth.principal() (identity.sql) verifies the context. Anyone may set app.context, and nobody can make one: a context of another transaction, process or login, or a changed
-- one, raises 28000 at every question of identity; it never falls back to the login. Parallel workers check it against
-- their leader's process.
--
-- The keys: tables that only crewpay_owner, which has no login, may read. The few functions that need them belong to it,
-- take no SQL and return no key; functions of crewpay_definer can't read them either.

-- Keys are made where they are missing: in a new database, and in one restored without them.
insert into auth.signing_keys (state)
select 'active'
where not exists (select from auth.signing_keys k where k.state = 'active');
insert into auth.context_keys (id)
select true
on conflict do nothing;

-- No token outlives a day, whatever the setting says. (Without SET, so that it becomes part of the query that asks.)
create or replace function auth.token_minutes(p_enterprise_id uuid)
returns table (minutes integer)
language sql stable rows 1
begin atomic
  select least(greatest(coalesce(min((c.value #>> '{}')::numeric), 15), 0), 1440)::integer
  from platform.system_configs c
  where c.key = 'security.token_max_minutes'
    and c.is_active
    and c.value_type = 'number'
    and (c.tenant_id is null or c.tenant_id = p_enterprise_id);
end;
revoke all on function auth.token_minutes(uuid) from public, crewpay_definer;
comment on function auth.token_minutes(uuid) is
  'How many minutes a token of an enterprise may live: the setting security.token_max_minutes, which an enterprise may only shorten; at most a day.
p_enterprise_id: tenant.';

-- A token is no better than what the database knows: whoever is deactivated there is out at once.
create or replace function auth.token_crew(p_enterprise_id uuid, p_crew_member_id uuid)
returns table (person_id uuid)
language sql stable rows 1
begin atomic
  select c.person_id
  from crew.crew_members c
  where c.enterprise_id = p_enterprise_id
    and c.id = p_crew_member_id
    and not exists (
      select
      from auth.principals p
      where p.enterprise_id = p_enterprise_id
        and p.crew_member_id = p_crew_member_id
        and not p.active)
    and not exists (select from platform.enterprises e where e.id = p_enterprise_id and e.deleted_at is not null);
end;
revoke all on function auth.token_crew(uuid, uuid) from public, crewpay_definer;
comment on function auth.token_crew(uuid, uuid) is
  'The person of a crew member for whom a token may stand; no row when there is none, or when a login of theirs was deactivated.
p_enterprise_id: tenant; p_crew_member_id: crew member.';

create or replace function auth.token_staff(p_enterprise_id uuid, p_role auth.app_role, p_user_id uuid)
returns table (person_id uuid)
language sql stable rows 1
begin atomic
  select p.person_id
  from auth.principals p
  where p.enterprise_id = p_enterprise_id
    and p.role = p_role
    and p.role <> 'crew'
    and p.user_id is not distinct from p_user_id
    and p.active
    and not exists (
      select
      from platform.users u
      where u.enterprise_id = p_enterprise_id
        and u.id = p_user_id
        and u.deleted_at is not null)
    and not exists (select from platform.enterprises e where e.id = p_enterprise_id and e.deleted_at is not null)
  limit 1;
end;
revoke all on function auth.token_staff(uuid, auth.app_role, uuid) from public, crewpay_definer;
comment on function auth.token_staff(uuid, auth.app_role, uuid) is
  'The person for whom a token of a role may stand: an active principal of that role; no row when there is none, null for services.
p_enterprise_id: tenant; p_role: role; p_user_id: user, or null for a service.';

create or replace function auth.login(p_token text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reasons constant text[] := array[
    'malformed', 'unknown key', 'forged', 'made for another login', 'not the login of a pool', 'made for another role',
    'expired', 'lives too long', 'revoked', 'nobody who may log in'];
  v_refused integer;
  v_part text[];
  v_key bytea;
  v_pool_role auth.app_role;
  v_now bigint := extract(epoch from clock_timestamp());
  v_exp bigint;
  v_person uuid;
  v_body text;
  v_number bigint;
begin
  -- Step by step, simple questions: this is in the way of every transaction.
  if p_token is null or octet_length(p_token) > 400 then
    v_refused := 1;
  else
    v_part := string_to_array(p_token, '|', '');
    if cardinality(v_part) <> 9 or v_part[1] is distinct from 'v1' then
      v_refused := 1;
    else
      select k.secret into v_key from auth.signing_keys k where k.kid = v_part[2];
      -- Nothing of the token is believed before this. (Two HMACs: see auth.principal.)
      if v_key is null then
        v_refused := 2;
      elsif ext.hmac(
          encode(ext.hmac(convert_to(left(p_token, -65), 'UTF8'), v_key, 'sha256'), 'hex')::bytea, v_key, 'sha256')
        is distinct from ext.hmac(convert_to(v_part[9], 'UTF8'), v_key, 'sha256')
      then
        v_refused := 3;
      end if;
    end if;
  end if;
  if v_refused is null then
    v_exp := v_part[8]::bigint;
    select p.role into v_pool_role from auth.pools p where p.login = session_user and p.active;
    v_refused := case
      when v_part[7] <> session_user then 4
      when v_pool_role is null then 5
      when v_part[6] is distinct from v_pool_role::text then 6
      when v_exp <= v_now then 7
      when exists (select from auth.revoked_tokens r where r.jti = v_part[3]::uuid) then 9
    end;
  end if;
  if v_refused is null then
    -- Whatever the setting is, mint_token() has kept to it; what would live longer than by default is checked again.
    if v_exp > v_now + 900 and v_exp > v_now + 60 * (select m.minutes from auth.token_minutes(v_part[5]::uuid) m) then
      v_refused := 8;
    elsif v_pool_role = 'crew' then
      select c.person_id into v_person from auth.token_crew(v_part[5]::uuid, v_part[4]::uuid) c;
    else
      select t.person_id into v_person from auth.token_staff(v_part[5]::uuid, v_pool_role, v_part[4]::uuid) t;
    end if;
    if v_refused is null and not found then
      v_refused := 10;
    end if;
  end if;

  if v_refused is not null then
    -- The transaction will be rolled back: what is written here must outlive it.
    raise log 'crewpay: login refused: %, login %, address %',
      v_reasons[v_refused], session_user, coalesce(host(inet_client_addr()), 'local');
    if current_setting('transaction_read_only') = 'off' then
      v_number := nextval('auth.refusals');
      perform setval(
        format('auth.refusal_%s', v_number % 32)::regclass,
        (v_refused::bigint << 59)
          | ((extract(epoch from clock_timestamp())::bigint & ((1 << 27) - 1)) << 32)
          | (select r.oid::bigint from pg_roles r where r.rolname = session_user));
    end if;
    raise exception using
      errcode = '28000',
      message = format('the token is refused: %s', v_reasons[v_refused]),
      hint = 'Get a new token for this login from the service that signs people in.';
  end if;

  v_body := concat_ws('|', v_pool_role, v_part[5],
    case when v_pool_role = 'crew' then v_part[4] else '' end,
    case when v_pool_role = 'crew' then '' else coalesce(v_part[4], '') end,
    coalesce(v_person::text, ''), v_exp) || '|';
  select c.secret into v_key from auth.context_keys c;
  perform set_config(
    'app.context',
    v_body || encode(ext.hmac(
      convert_to(v_body || pg_backend_pid() || '|' || extract(epoch from transaction_timestamp()) || '|' || session_user, 'UTF8'),
      v_key, 'sha256'), 'hex'),
    true);
end $$;
alter function auth.login(text) owner to crewpay_owner;
revoke all on function auth.login(text) from public, crewpay_definer;
grant execute on function auth.login(text) to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service;
comment on function auth.login(text) is
  'Makes the rest of this transaction act for the person a token was made for. For logins of pools, right after begin.
Pass it as a parameter (select auth.login($1)): literals stand in server logs. Refusals are counted, logged and kept (auth.token_events).
p_token: what auth.mint_token() returned.
Errors: 28000 malformed, forged, made for another login or role, expired, living too long, revoked, nobody who may log in.';

-- Called by operators, and by the service that signs people in, which is a member of crewpay_issuer and nothing else.
create or replace function auth.mint_token(
  p_login name,
  p_enterprise_id uuid,
  p_uid uuid default null,
  p_minutes integer default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role auth.app_role;
  v_allowed integer;
  v_minutes integer;
  v_kid text;
  v_key bytea;
  v_body text;
begin
  select p.role into v_role from auth.pools p where p.login = p_login and p.active;
  if v_role is null then
    raise exception using
      errcode = 'CP302',
      message = format('%s is not the login of a pool', p_login),
      hint = 'Make it one: crewpay auth pool, or auth.create_pool().';
  end if;
  if not exists (select from auth.token_crew(p_enterprise_id, p_uid) where v_role = 'crew')
    and not exists (select from auth.token_staff(p_enterprise_id, v_role, p_uid))
  then
    raise exception using
      errcode = 'CP302',
      message = format('nobody in this enterprise may act as %s by that key', v_role),
      hint = 'Crew: a crew member. Others: a user (or, for services, nobody) with an active principal of the role (auth.create_principal).';
  end if;
  select m.minutes into v_allowed from auth.token_minutes(p_enterprise_id) m;
  v_minutes := coalesce(p_minutes, v_allowed);
  if v_minutes not between 1 and v_allowed then
    raise exception using
      errcode = 'CP303',
      message = format('a token may live 1 to %s minutes, not %s', v_allowed, v_minutes),
      hint = 'The limit is the setting security.token_max_minutes.';
  end if;
  select k.kid, k.secret into v_kid, v_key from auth.signing_keys k where k.state = 'active';
  if v_key is null then
    raise exception using
      errcode = 'CP304',
      message = 'there is no active signing key',
      hint = 'Make one: crewpay auth rotate, or auth.rotate_key().';
  end if;
  v_body := concat_ws('|', 'v1', v_kid, gen_random_uuid(), coalesce(p_uid::text, ''), p_enterprise_id, v_role, p_login,
    floor(extract(epoch from clock_timestamp()))::bigint + 60 * v_minutes);
  return v_body || '|' || encode(ext.hmac(convert_to(v_body, 'UTF8'), v_key, 'sha256'), 'hex');
end $$;
alter function auth.mint_token(name, uuid, uuid, integer) owner to crewpay_owner;
revoke all on function auth.mint_token(name, uuid, uuid, integer) from public, crewpay_definer;
grant execute on function auth.mint_token(name, uuid, uuid, integer) to crewpay_issuer;
comment on function auth.mint_token(name, uuid, uuid, integer) is
  'A signed token with which auth.login() acts for a person or service. For operators and crewpay_issuer, who must know who is asking.
p_login: login of the pool, whose role the token carries; p_enterprise_id: tenant; p_uid: crew member or user, null for a service;
p_minutes: how long it lives, the longest allowed by default.
Errors: CP302 no such pool, or nobody who may act so; CP303 lives too long; CP304 no signing key.';

create or replace function auth.revoke_token(p_jti uuid)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from auth.revoked_tokens r where r.until < now();
  insert into auth.revoked_tokens (jti, until)
  values (p_jti, now() + interval '1 day 1 minute')
  on conflict do nothing;
  insert into auth.token_events (event, reason) values ('revoked', p_jti::text);
end $$;
alter function auth.revoke_token(uuid) owner to crewpay_owner;
revoke all on function auth.revoke_token(uuid) from public, crewpay_definer;
grant execute on function auth.revoke_token(uuid) to crewpay_issuer;
comment on function auth.revoke_token(uuid) is
  'Refuses a token from now on, e.g. when somebody signs out. Transactions it has opened already end as they are.
p_jti: number of the token, its third field.';

create or replace function auth.rotate_key(p_revoke_old boolean default false)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kid text;
begin
  lock table auth.signing_keys in share row exclusive mode;
  update auth.signing_keys k
  set state = 'revoked', secret = null, changed_at = now()
  where k.state = 'retiring' or (k.state = 'active' and p_revoke_old);
  update auth.signing_keys k
  set state = 'retiring', changed_at = now()
  where k.state = 'active';
  insert into auth.signing_keys (state) values ('active') returning kid into v_kid;
  -- Also where the database was restored without its keys: nobody could be logged in by it.
  insert into auth.context_keys as c (id)
  values (true)
  on conflict (id) do update
    set secret = ext.gen_random_bytes(32),
        created_at = now()
    where p_revoke_old;
  insert into auth.token_events (event, reason)
  values ('rotated', v_kid || case when p_revoke_old then ', all others revoked' else '' end);
  return v_kid;
end $$;
revoke all on function auth.rotate_key(boolean) from public, crewpay_definer;
comment on function auth.rotate_key(boolean) is
  'Makes a new signing key and returns its number; the one before is still accepted, the one before that no longer (operators only).
p_revoke_old: nothing signed or opened so far is accepted any more: for a key that leaked, and for a copy of another database.';

-- A pool's login belongs to one group and has no power of its own; being a principal as well, it would be a person without a token.
create or replace function auth.tg_pool_is_nobody()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from auth.principals p where p.login = new.login) then
    raise exception using
      errcode = 'CP301',
      message = format('login %s is a principal', new.login),
      hint = 'Make another login for the pool.';
  end if;
  return new;
end $$;
revoke all on function auth.tg_pool_is_nobody() from public;
comment on function auth.tg_pool_is_nobody() is
  'Trigger: the login of a pool is no principal.
Errors: CP301.';

create or replace trigger pools_10_nobody
  before insert or update on auth.pools
  for each row execute function auth.tg_pool_is_nobody();
comment on trigger pools_10_nobody on auth.pools is 'The login of a pool is nobody by itself (CP301).';

create or replace function auth.create_pool(p_login name, p_role auth.app_role)
returns auth.pools
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_group name := case p_role when 'service_role' then 'crewpay_service' else 'crewpay_' || p_role end;
  v_pool auth.pools;
begin
  if not exists (
    select
    from pg_roles r
    where r.rolname = p_login
      and r.rolcanlogin
      and r.rolinherit
      and not (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
      and array(
        select g.rolname
        from pg_auth_members m
        join pg_roles g on g.oid = m.roleid
        where m.member = r.oid) = array[v_group])
  then
    raise exception using
      errcode = 'CP301',
      message = format('%s is not a login that belongs to %s and nothing else', p_login, v_group),
      hint = format('create role %I login in role %I', p_login, v_group);
  end if;
  insert into auth.pools as p (login, role)
  values (p_login, p_role)
  on conflict (login) do update
    set role = excluded.role,
        active = true
  returning p.* into v_pool;
  insert into auth.token_events (event, reason) values ('pool', p_login || ', ' || p_role);
  return v_pool;
end $$;
revoke all on function auth.create_pool(name, auth.app_role) from public, crewpay_definer;
comment on function auth.create_pool(name, auth.app_role) is
  'Makes a login that of a connection pool: nobody by itself, and by a token only those of one role (operators only).
p_login: database login, member of the role''s group and nothing else; p_role: crew, admin, payroll or service_role.
Errors: CP301 other memberships or powers, or a principal; 23514 a role that isn''t pooled.';

-- From the ring into the table, by a job and before operators read. Slot: reason (4 bits), seconds (27), login (32).
create or replace function auth.collect_refusals()
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reasons constant text[] := array[
    'malformed', 'unknown key', 'forged', 'made for another login', 'not the login of a pool', 'made for another role',
    'expired', 'lives too long', 'revoked', 'nobody who may log in'];
  v_mask constant bigint := (1 << 27) - 1;
  v_now constant bigint := extract(epoch from clock_timestamp());
  v_last bigint;
  v_done bigint;
  v_slot bigint;
begin
  perform pg_advisory_xact_lock('auth.token_events'::regclass::oid::integer, 0);
  select case when s.is_called then s.last_value else 0 end into v_last from auth.refusals s;
  select coalesce(max(e.refusal_no), 0) into v_done from auth.token_events e;
  if v_last - 32 > v_done then
    insert into auth.token_events (event, reason, refusal_no, repeated, login)
    values ('refused', 'more than 32 between two collections', v_last - 32, v_last - 32 - v_done, 'unknown');
  end if;
  for v_number in greatest(v_done, v_last - 32) + 1 .. v_last loop
    v_slot := pg_sequence_last_value(format('auth.refusal_%s', v_number % 32)::regclass);
    insert into auth.token_events (event, reason, refusal_no, happened_at, login)
    values (
      'refused',
      v_reasons[(v_slot >> 59)::integer],
      v_number,
      to_timestamp(v_now - ((v_now - (v_slot >> 32)) & v_mask)),
      coalesce((select r.rolname from pg_roles r where r.oid = ((v_slot & 4294967295)::text)::oid), 'unknown'));
  end loop;
  -- Thirteen months are kept, and the last number for as long as it is the last.
  delete from auth.token_events e
  where e.happened_at < now() - interval '13 months'
    and e.refusal_no is distinct from (select max(l.refusal_no) from auth.token_events l);
  return v_last - v_done;
end $$;
alter function auth.collect_refusals() owner to crewpay_owner;
revoke all on function auth.collect_refusals() from public, crewpay_definer;
grant execute on function auth.collect_refusals() to crewpay_jobs;
comment on function auth.collect_refusals() is
  'Writes refused logins since the last time into auth.token_events, and returns how many; of more than 32 the older ones are only counted.
Events older than thirteen months go. A refusal aborts its transaction; what survives that (sequences) is read here. Refusals in read-only transactions stand in the server log only.';
