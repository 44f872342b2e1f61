-- Reading the trail: the story of one row, and the row as it was. Both run with the reader's rights: policies decide what
-- is seen, and who may not read the trail or the table is refused.

-- crew.flights, or flights where one audited table only has that name.
create or replace function audit.audited_table(p_table text)
returns regclass
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found regclass[];
begin
  select array_agg(c.oid::regclass)
  into v_found
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where p_table in (c.relname, n.nspname || '.' || c.relname)
    and exists (
      select
      from pg_trigger t
      join pg_proc f on f.oid = t.tgfoid
      where t.tgrelid = c.oid
        and f.pronamespace = 'audit'::regnamespace
        and f.proname = 'capture_' || n.nspname || '_' || c.relname);
  if cardinality(v_found) = 1 then
    return v_found[1];
  end if;
  raise exception using
    errcode = '42P01',
    message = format('there is no audited table %s', left(p_table, 100)),
    hint = 'Name it with its schema, e.g. crew.flights. Tables that are not recorded row by row stand in audit.not_audited.';
end $$;
revoke all on function audit.audited_table(text) from public;
grant execute on function audit.audited_table(text) to crewpay_admin, crewpay_payroll;
comment on function audit.audited_table(text) is
  'An audited table by its name.
p_table: with schema, or without where that is clear.
Errors: 42P01.';

-- Only administrators see who stands behind a login.
create or replace function audit.actor_name(p_login text)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if auth.role() is distinct from 'admin' then
    return null;
  end if;
  return (
    select coalesce(u.full_name, u.email, c.first_name || ' ' || c.last_name)
    from auth.principals p
    left join platform.users u on u.enterprise_id = p.enterprise_id and u.id = p.user_id
    left join crew.crew_members c on c.enterprise_id = p.enterprise_id and c.id = p.crew_member_id
    where p.login::text = p_login
      and p.enterprise_id = auth.enterprise_id());
end $$;
revoke all on function audit.actor_name(text) from public;
grant execute on function audit.actor_name(text) to crewpay_admin, crewpay_payroll;
comment on function audit.actor_name(text) is
  'Name of the user or crew member behind a login of the own enterprise; null for services, operators, and readers who are no administrators.
p_login: login, as the trail records it.';

create or replace function audit.history(p_table text, p_id text)
returns table (
  happened_at timestamptz,
  action text,
  actor text,
  actor_name text,
  actor_type text,
  reason text,
  changes jsonb,
  request_id text,
  ip_address text,
  user_agent text,
  claimed jsonb,
  transaction_id xid8)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text;
begin
  select n.nspname || '.' || c.relname
  into v_entity
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = audit.audited_table(p_table);
  return query
    select l.created_at, l.action::text, l.actor_id::text, audit.actor_name(l.actor_id), l.actor_type::text, l.reason,
           l.changes, l.request_id, l.ip_address::text, l.user_agent, l.claimed, l.transaction_id
    from audit.audit_log l
    where l.enterprise_id = auth.enterprise_id()
      and l.entity_type = v_entity
      and l.entity_key = lower(p_id)
      -- The index knows keys that are one uuid.
      and (l.entity_id is null or l.entity_id::text = l.entity_key)
    order by l.entry_no;
end $$;
revoke all on function audit.history(text, text) from public;
grant execute on function audit.history(text, text) to crewpay_admin, crewpay_payroll;
comment on function audit.history(text, text) is
  'The entries of one row, oldest first: when, what, who, why, changed columns [before, after]. For administrators and payroll, of their enterprise.
p_table: audited table, e.g. crew.flights; p_id: its key, several columns joined by /, without the enterprise.
request_id, user_agent and claimed are the client''s own words and prove nothing. Results of a run stand as one entry under the run''s key.
Errors: 42P01, 42501.';

-- What else happened to what a row is part of: the pay of its period, and who decided about it.
create or replace function audit.related_rows(p_entity text, p_id text)
returns table (entity_type text, entity_id uuid, about text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_id uuid := case when p_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_id::uuid end;
begin
  return query
    with days as materialized (
      select (a.duty_start_time at time zone b.time_zone)::date as day
      from crew.crew_assignments a
      join crew.crew_members m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
      join crew.airports b on b.iata = m.base_location
      where a.enterprise_id = v_enterprise
        and (p_entity = 'crew.crew_assignments' and a.id = v_id or p_entity = 'crew.flights' and a.flight_id = v_id)
      union
      select (t.start_at at time zone b.time_zone)::date
      from crew.trips t
      join crew.airports b on b.iata = t.base_location
      where p_entity = 'crew.trips' and t.enterprise_id = v_enterprise and t.id = v_id
    ), periods as materialized (
      select p.id, format('pay period %s to %s', p.start_date, p.end_date) as about
      from pay.pay_periods p
      where p.enterprise_id = v_enterprise
        and (exists (select from days d where d.day between p.start_date and p.end_date)
          or p_entity = 'crew.crew_months' and p.contract_month::text = split_part(p_id, '/', 2)
          or p_entity = 'pay.pay_periods' and p.id = v_id
          or p_entity = 'pay.pay_runs' and exists (
            select from pay.pay_runs r where r.enterprise_id = v_enterprise and r.id = v_id and r.pay_period_id = p.id)
          or p_entity = 'review.claims' and exists (
            select from review.claims c where c.enterprise_id = v_enterprise and c.id = v_id and c.pay_period_id = p.id))
    ), subjects as materialized (
      select 'pay.pay_periods' as entity_type, p.id, p.about from periods p
      union all
      select 'pay.pay_runs', r.id, 'pay run of the ' || p.about
      from pay.pay_runs r
      join periods p on p.id = r.pay_period_id
      where r.enterprise_id = v_enterprise and r.kind = 'REGULAR' and r.state <> 'building'
      union all
      select 'crew.corrections', c.id, 'correction'
      from crew.corrections c
      where c.enterprise_id = v_enterprise and c.table_name = p_entity and c.row_key = replace(p_id, '/', ':')
      union all
      select 'pay.rate_changes', c.id, 'rate change'
      from pay.rate_changes c
      where p_entity = 'crew.crew_members' and c.enterprise_id = v_enterprise and c.rates ? p_id
      union all
      select p_entity, v_id, replace(split_part(p_entity, '.', 2), '_', ' ')
      where v_id is not null
    )
    select s.entity_type, s.id, s.about
    from subjects s
    union all
    select 'pay.approvals', a.id,
      case a.subject_kind when 'REOPEN' then 'reopening of the ' when 'CLAIM_PAYMENT' then 'payment of the ' else '' end || s.about
    from pay.approvals a
    join subjects s on s.id = a.subject_id
    where a.enterprise_id = v_enterprise;
end $$;
revoke all on function audit.related_rows(text, text) from public;
grant execute on function audit.related_rows(text, text) to crewpay_admin, crewpay_payroll;
comment on function audit.related_rows(text, text) is
  'Rows that tell what became of a row: the pay periods it is part of, their runs, its corrections and rate changes, and the approvals of all these.
p_entity: table with schema; p_id: key, several columns joined by /.';

create or replace function audit.story(p_table text, p_id text)
returns table (
  happened_at timestamptz,
  about text,
  action text,
  actor text,
  actor_name text,
  actor_type text,
  reason text,
  changes jsonb,
  request_id text,
  ip_address text,
  user_agent text,
  claimed jsonb,
  transaction_id xid8,
  entry_no bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text;
begin
  select n.nspname || '.' || c.relname
  into v_entity
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = audit.audited_table(p_table);
  return query
    with told as (
      select l as entry, null::text as about
      from audit.audit_log l
      where l.enterprise_id = auth.enterprise_id()
        and l.entity_type = v_entity
        and l.entity_key = lower(p_id)
        and (l.entity_id is null or l.entity_id::text = l.entity_key)
      union all
      select l, r.about
      from audit.related_rows(v_entity, lower(p_id)) r
      join audit.audit_log l on l.enterprise_id = auth.enterprise_id() and l.entity_type = r.entity_type and l.entity_id = r.entity_id
      where not (r.entity_type = v_entity and l.entity_key = lower(p_id))
        -- Of a period and a run their states; of what was asked for, the asking and the decision.
        and case r.entity_type
          when 'pay.pay_periods' then l.action = 'UPDATED' and l.changes ? 'status'
          when 'pay.pay_runs' then l.action = 'UPDATED' and l.changes ? 'state'
          when 'pay.approvals' then l.action <> 'UPDATED' or l.changes ? 'state'
          else l.action = 'CREATED' end
    )
    select (t.entry).created_at, t.about,
           case
             when t.about is null or (t.entry).entity_type <> 'pay.approvals' then (t.entry).action::text
             when (t.entry).action = 'UPDATED' then (t.entry).changes -> 'state' ->> 1
             when (t.entry).changes ->> 'state' = 'PENDING' then 'REQUESTED'
             when (t.entry).action = 'CREATED' then 'APPROVED'
             else (t.entry).action::text end,
           (t.entry).actor_id::text, audit.actor_name((t.entry).actor_id),
           (t.entry).actor_type::text, (t.entry).reason, (t.entry).changes, (t.entry).request_id, (t.entry).ip_address::text,
           (t.entry).user_agent, (t.entry).claimed, (t.entry).transaction_id, (t.entry).entry_no
    from told t
    order by (t.entry).entry_no;
end $$;
revoke all on function audit.story(text, text) from public;
grant execute on function audit.story(text, text) to crewpay_admin, crewpay_payroll;
comment on function audit.story(text, text) is
  'The life of a row, oldest first: its own entries (about is null), and the entries of what it is part of: pay periods closed and reopened,
runs published, corrections and rates asked for and approved. For administrators and payroll, of their enterprise.
p_table: audited table, e.g. crew.crew_assignments; p_id: its key, several columns joined by /, without the enterprise.
Other columns as audit.history(). Approvals of related rows have the actions REQUESTED, APPROVED, DENIED, WITHDRAWN and SUPERSEDED. Errors: 42P01, 42501.';

-- The current row, with what happened later undone: works without the entry of its creation, and with the table's own types.
create or replace function audit.as_of(p_table text, p_id text, p_time timestamptz)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  v_table regclass := audit.audited_table(p_table);
  v_entity text;
  v_key name[];
  v_tenant name;
  v_parts text[];
  v_row jsonb;
  v_empty jsonb;
  v_entry record;
begin
  select n.nspname || '.' || c.relname
  into v_entity
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = v_table;
  if v_entity = 'pay.pay_calculations' then
    raise exception using
      errcode = '0A000',
      message = 'results are not recorded row by row',
      hint = 'Replaced results are kept: read pay.calculation_versions.';
  end if;
  select array_agg(a.attname order by k.n)
  into v_key
  from pg_index i
  cross join unnest(i.indkey::smallint[]) with ordinality k (attnum, n)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = v_table
    and i.indisprimary;
  select a.attname
  into v_tenant
  from pg_attribute a
  where a.attrelid = v_table
    and a.attname in ('enterprise_id', 'tenant_id')
    and not a.attisdropped;
  if cardinality(v_key) > 1 then
    v_key := array_remove(v_key, v_tenant);
  end if;
  if v_tenant is null and v_entity <> 'platform.enterprises' then
    raise exception using
      errcode = '0A000',
      message = format('the trail of %s, which belongs to no enterprise, is read by operators', v_entity),
      hint = 'Read audit.audit_log as operator.';
  end if;
  v_parts := string_to_array(lower(p_id), '/');

  -- With nothing known: every recorded column, null; columns of JSON that can't be null, empty.
  select jsonb_object_agg(
           a.attname,
           case when a.atttypid in ('json'::regtype, 'jsonb'::regtype) and a.attnotnull then '{}'::jsonb else 'null' end)
  into v_empty
  from pg_attribute a
  where a.attrelid = v_table
    and a.attnum > 0
    and not a.attisdropped
    and a.attgenerated = ''
    and a.attname not in ('created_at', 'updated_at');
  select v_empty || jsonb_object_agg(k.name, p.part)
  into v_empty
  from unnest(v_key) with ordinality k (name, n)
  join unnest(v_parts) with ordinality p (part, n) on p.n = k.n;
  if v_tenant is not null then
    v_empty := v_empty || jsonb_build_object(v_tenant, auth.enterprise_id());
  end if;

  execute format(
    'select (select jsonb_object_agg(e.key, e.value) from jsonb_each(to_jsonb(t)) e where $1 ? e.key) from %s t where %s%s',
    v_table,
    (select string_agg(format('t.%I::text = $2[%s]', k.name, k.n), ' and ' order by k.n) from unnest(v_key) with ordinality k (name, n)),
    case when v_tenant is null then '' else format(' and t.%I = $3', v_tenant) end)
  into v_row
  using v_empty, v_parts, auth.enterprise_id();

  -- What came last is undone first.
  for v_entry in
    select l.action, l.changes
    from audit.audit_log l
    where l.enterprise_id = auth.enterprise_id()
      and l.entity_type = v_entity
      and l.entity_key = lower(p_id)
      and l.created_at > p_time
    order by l.entry_no desc
  loop
    v_row := case v_entry.action
      when 'DELETED' then v_empty || v_entry.changes
      when 'CREATED' then null
      else coalesce(v_row, v_empty) || coalesce(
        (select jsonb_object_agg(c.key, c.value -> 0) from jsonb_each(v_entry.changes) c where v_empty ? c.key), '{}')
    end;
  end loop;
  return v_row;
end $$;
revoke all on function audit.as_of(text, text, timestamptz) from public;
grant execute on function audit.as_of(text, text, timestamptz) to crewpay_admin, crewpay_payroll;
comment on function audit.as_of(text, text, timestamptz) is
  'A row as it was at a time, from the row as it is and its entries in the trail; null when it did not exist. For administrators and payroll.
p_table: audited table, e.g. crew.flights; p_id: its key, several columns joined by /, without the enterprise; p_time: when; a transaction counts from its start.
Without created_at, updated_at and generated columns, which are not recorded.
Errors: 42P01, 42501, 0A000 for results of pay runs, which are kept as versions, and for tables that belong to no enterprise.';
