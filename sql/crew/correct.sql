-- Correcting facts of closed periods: one person asks, a second approves, then the change is applied. The version before it is
-- kept (crew.fact_versions), stored results stay, and the pay that it touches is queued for recomputing (pay.retro_queue).

-- Columns of a fact that a correction may change: all but keys, numbers that lines cite, and what the database writes itself.
create or replace function crew.correctable_columns(p_table text)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.attname::text order by a.attnum)
  from pg_attribute as a
  where p_table in ('crew.flights', 'crew.trips', 'crew.crew_assignments', 'crew.crew_months')
    and a.attrelid = to_regclass(p_table)
    and a.attnum > 0
    and not a.attisdropped
    and a.attgenerated = ''
    and a.attidentity = ''
    and a.attname not in ('enterprise_id', 'id', 'created_at', 'updated_at')
$$;
comment on function crew.correctable_columns(text) is
'Columns that crew.correct() may change; null for a table that holds no facts.
p_table: table with schema.';

create or replace function crew.fact_row(p_table text, p_key text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row jsonb;
begin
  case p_table
    when 'crew.flights' then
      select to_jsonb(f) into v_row from crew.flights as f where f.enterprise_id = auth.enterprise_id() and f.id::text = p_key for update;
    when 'crew.trips' then
      select to_jsonb(t) into v_row from crew.trips as t where t.enterprise_id = auth.enterprise_id() and t.id::text = p_key for update;
    when 'crew.crew_assignments' then
      select to_jsonb(a) into v_row from crew.crew_assignments as a where a.enterprise_id = auth.enterprise_id() and a.id::text = p_key for update;
    when 'crew.crew_months' then
      select to_jsonb(m) into v_row
      from crew.crew_months as m
      where m.enterprise_id = auth.enterprise_id()
        and m.crew_member_id::text = split_part(p_key, ':', 1) and m.month::text = split_part(p_key, ':', 2)
      for update;
  end case;
  return v_row;
end
$$;
comment on function crew.fact_row(text, text) is
'A fact of the caller''s enterprise as JSON, locked; null when there is none.
p_table: table with schema; p_key: key as in crew.fact_versions.';

-- Whose pay of which periods a fact is part of: as the guard of closed periods sees it, and later closed periods of the
-- same contract month, which pay what the month to date adds, and those whose contract looks back so far.
create or replace function crew.touched_pay(p_table text, p_row jsonb)
returns table (crew_member_id uuid, pay_period_id uuid)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  return query
    with touched as (
      select a.crew_member_id as member, (a.duty_start_time at time zone b.time_zone)::date as day
      from jsonb_populate_record(null::crew.crew_assignments, case when p_table = 'crew.crew_assignments' then p_row end) as a
      join crew.crew_members as m on m.enterprise_id = v_enterprise and m.id = a.crew_member_id
      join crew.airports as b on b.iata = m.base_location
      where p_table = 'crew.crew_assignments'
      union all
      select t.crew_member_id, (t.start_at at time zone b.time_zone)::date
      from jsonb_populate_record(null::crew.trips, case when p_table = 'crew.trips' then p_row end) as t
      join crew.airports as b on b.iata = t.base_location
      where p_table = 'crew.trips'
      union all
      select a.crew_member_id, (a.duty_start_time at time zone b.time_zone)::date
      from crew.crew_assignments as a
      join crew.crew_members as m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
      join crew.airports as b on b.iata = m.base_location
      where a.enterprise_id = v_enterprise
        and a.retired_at is null
        and (p_table = 'crew.flights' and a.flight_id = (p_row ->> 'id')::uuid
          or p_table = 'crew.trips' and a.trip_id = (p_row ->> 'id')::uuid)
      union all
      select c.crew_member_id, c.month
      from jsonb_populate_record(null::crew.crew_months, case when p_table = 'crew.crew_months' then p_row end) as c
      where p_table = 'crew.crew_months'
    )
    select distinct t.member, later.id
    from touched as t
    join pay.pay_periods as p
      on p.enterprise_id = v_enterprise
      and (t.day between p.start_date and p.end_date or p_table = 'crew.crew_months' and p.contract_month = t.day)
    join pay.pay_periods as later
      on later.enterprise_id = p.enterprise_id and later.start_date >= p.start_date
      and (later.contract_month = p.contract_month or pay.looks_back_to(later, p.end_date))
    where later.status in ('CLOSED', 'PAID');
end
$$;
comment on function crew.touched_pay(text, jsonb) is
'Crew members and closed periods whose pay a fact is part of.
p_table: table with schema; p_row: the row as JSON.';

create or replace function crew.is_closed_fact(p_table text, p_row jsonb)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_closed boolean;
begin
  if p_row is null then
    return false;
  end if;
  execute format($q$
    with rows_at_hand as (select * from jsonb_populate_record(null::%1$s, $1)), facts as (%2$s)
    select exists (
      select
      from facts as f
      join pay.pay_periods as p on p.enterprise_id = f.enterprise_id and f.day between p.start_date and p.end_date
      where p.status in ('CLOSED', 'PAID'))$q$,
    p_table::regclass, crew.closed_facts_sql(p_table))
  into v_closed
  using p_row;
  return v_closed;
end
$$;
comment on function crew.is_closed_fact(text, jsonb) is
'Whether a row is a fact of a closed or paid period.
p_table: table with schema; p_row: the row as JSON.';

-- SHA-256 of table, key and changes: what a second person approves.
create or replace function crew.correction_hash(p_correction crew.corrections)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(
    concat_ws('|', p_correction.table_name, p_correction.row_key, p_correction.is_new, p_correction.changes), 'UTF8')), 'hex')
$$;
comment on function crew.correction_hash(crew.corrections) is 'What an approval of a correction covers.
p_correction: the correction.';

create or replace function crew.correct(p_table text, p_key text, p_changes jsonb, p_reason text)
returns crew.corrections
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_person uuid := pay.require_person();
  v_reason text := pay.require_reason(p_reason);
  v_columns text[] := crew.correctable_columns(p_table);
  v_unknown text;
  v_before jsonb;
  v_after jsonb;
  v_changes jsonb;
  v_key text := p_key;
  v_correction crew.corrections;
  v_old_reason text;
begin
  if v_columns is null then
    raise exception using
      errcode = 'CP316',
      message = format('%s holds no facts that are corrected', coalesce(p_table, 'null')),
      hint = 'crew.flights, crew.trips, crew.crew_assignments or crew.crew_months.';
  elsif jsonb_typeof(p_changes) is distinct from 'object' or p_changes = '{}' then
    raise exception using
      errcode = 'CP316',
      message = 'a correction changes something',
      hint = 'Give the changes as {"column": value}.';
  end if;
  if p_key is not null then
    v_before := crew.fact_row(p_table, p_key);
    if v_before is null then
      raise exception using
        errcode = 'CP316',
        message = format('no such row in %s', p_table),
        detail = format('key %s', p_key),
        hint = 'The key is the row''s id; of crew months crew_member_id:month. Without key a row is added.';
    end if;
    v_columns := array(select unnest(v_columns) except select unnest(case when p_table = 'crew.crew_months' then '{crew_member_id,month}'::text[] end));
  elsif p_table = 'crew.crew_months' then
    v_key := concat_ws(':', p_changes ->> 'crew_member_id', p_changes ->> 'month');
  else
    v_key := gen_random_uuid()::text;
  end if;
  select string_agg(k, ', ' order by k) into v_unknown
  from jsonb_object_keys(p_changes) as k
  where k <> all (v_columns);
  if v_unknown is not null then
    raise exception using
      errcode = 'CP316',
      message = format('can''t correct %s of %s', v_unknown, p_table),
      hint = 'Columns: ' || array_to_string(v_columns, ', ') || '.';
  end if;

  -- Both sides as the row itself would say them, so that the same value is no change, however it is written.
  execute format('select to_jsonb(r) from jsonb_populate_record(null::%s, $1) as r', p_table::regclass)
  into v_after
  using coalesce(v_before, jsonb_build_object('enterprise_id', auth.enterprise_id(), 'id', v_key)) || p_changes;
  select jsonb_object_agg(k, jsonb_build_array(v_before -> k, v_after -> k)) into v_changes
  from jsonb_object_keys(p_changes) as k
  where v_before -> k is distinct from v_after -> k;
  if v_changes is null then
    raise exception using
      errcode = 'CP316',
      message = 'the row reads so already',
      detail = format('%s %s', p_table, v_key),
      hint = 'A correction changes something.';
  elsif not (crew.is_closed_fact(p_table, v_before) or crew.is_closed_fact(p_table, v_after)) then
    raise exception using
      errcode = 'CP316',
      message = 'the row belongs to no closed period',
      detail = format('%s %s', p_table, v_key),
      hint = 'Facts of open periods are changed directly, or imported.';
  end if;

  v_old_reason := pay.because(v_reason);
  insert into crew.corrections (enterprise_id, table_name, row_key, is_new, changes, reason, requested_by, requested_by_person)
  values (auth.enterprise_id(), p_table, v_key, p_key is null, v_changes, v_reason, audit.actor(), v_person)
  returning * into v_correction;
  perform pay.request_approval('CORRECTION', v_correction.id, crew.correction_hash(v_correction), v_reason);
  perform set_config('app.reason', v_old_reason, true);
  return v_correction;
end
$$;
alter function crew.correct(text, text, jsonb, text) owner to crewpay_definer;
revoke all on function crew.correct(text, text, jsonb, text) from public;
grant execute on function crew.correct(text, text, jsonb, text) to crewpay_admin, crewpay_payroll;
comment on function crew.correct(text, text, jsonb, text) is
'Asks for a change to a fact of a closed period; nothing changes until a second person approves (crew.approve_correction).
p_table: crew.flights, crew.trips, crew.crew_assignments or crew.crew_months; p_key: the row''s id (crew months: crew_member_id:month),
null to add a row; p_changes: {"column": value}, e.g. {"retired_at": "now"} for a leg that was not flown; p_reason: why.
Raises 42501, CP310 (no person), CP316 (can''t be corrected so), CP318 (no reason).';

create or replace function crew.approve_correction(p_correction uuid, p_reason text default null)
returns crew.corrections
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_correction crew.corrections;
  v_approval pay.approvals;
  v_before jsonb;
  v_after jsonb;
  v_values jsonb;
  v_columns text;
  v_rows bigint;
  v_old_reason text;
begin
  perform auth.require_role('admin', 'payroll');
  select c.* into v_correction
  from crew.corrections as c
  where c.enterprise_id = auth.enterprise_id() and c.id = p_correction
  for update;
  if v_correction.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('no correction %s', p_correction),
      hint = 'List what waits: select * from crew.corrections where applied_at is null.';
  end if;
  v_old_reason := pay.because(v_correction.reason);
  v_approval := pay.approve_pending('CORRECTION', p_correction, crew.correction_hash(v_correction), p_reason);

  select jsonb_object_agg(c.key, c.value -> 1), string_agg(quote_ident(c.key), ', ' order by c.key)
  into v_values, v_columns
  from jsonb_each(v_correction.changes) as c;
  if not v_correction.is_new then
    v_before := crew.fact_row(v_correction.table_name, v_correction.row_key);
    if v_before is null or exists (
      select from jsonb_each(v_correction.changes) as c where v_before -> c.key is distinct from c.value -> 0) then
      raise exception using
        errcode = 'CP313',
        message = 'the row has changed since the correction was asked for',
        detail = format('%s %s', v_correction.table_name, v_correction.row_key),
        hint = 'Deny it (pay.deny_approval), and have it asked for again as it is now.';
    end if;
  end if;

  -- From here to applied_at the guard of closed periods lets this transaction change this one row.
  update crew.corrections as c
  set approved_by = audit.actor(), approved_by_person = v_approval.decided_by_person, approved_at = now(), applied_in = pg_current_xact_id()
  where c.enterprise_id = v_correction.enterprise_id and c.id = p_correction
  returning c.* into v_correction;
  if v_correction.is_new then
    v_values := v_values || jsonb_build_object('enterprise_id', v_correction.enterprise_id);
    v_columns := 'enterprise_id, ' || v_columns;
    if v_correction.table_name <> 'crew.crew_months' then
      v_values := v_values || jsonb_build_object('id', v_correction.row_key);
      v_columns := 'id, ' || v_columns;
    end if;
    execute format('insert into %1$s (%2$s) select %2$s from jsonb_populate_record(null::%1$s, $1)', v_correction.table_name::regclass, v_columns)
    using v_values;
  else
    execute format('update %1$s as f set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $1)) where f.enterprise_id = $2 and %3$s',
      v_correction.table_name::regclass, v_columns,
      case v_correction.table_name when 'crew.crew_months'
        then 'f.crew_member_id = split_part($3, '':'', 1)::uuid and f.month = split_part($3, '':'', 2)::date'
        else 'f.id = $3::uuid' end)
    using v_values, v_correction.enterprise_id, v_correction.row_key;
  end if;
  get diagnostics v_rows = row_count;
  if v_rows <> 1 then
    raise exception using
      errcode = 'CP313',
      message = 'the row is not there any more',
      detail = format('%s %s', v_correction.table_name, v_correction.row_key),
      hint = 'Deny the correction (pay.deny_approval).';
  end if;
  update crew.corrections as c
  set applied_at = now()
  where c.enterprise_id = v_correction.enterprise_id and c.id = p_correction
  returning c.* into v_correction;

  v_after := crew.fact_row(v_correction.table_name, v_correction.row_key);
  insert into pay.retro_queue (enterprise_id, crew_member_id, pay_period_id, correction_id, cause, queued_by)
  select v_correction.enterprise_id, t.crew_member_id, t.pay_period_id, v_correction.id, v_correction.reason, audit.actor()
  from (
    select b.crew_member_id, b.pay_period_id from crew.touched_pay(v_correction.table_name, v_before) as b where v_before is not null
    union
    select a.crew_member_id, a.pay_period_id from crew.touched_pay(v_correction.table_name, v_after) as a) as t
  on conflict do nothing;
  perform set_config('app.reason', v_old_reason, true);
  return v_correction;
end
$$;
alter function crew.approve_correction(uuid, text) owner to crewpay_definer;
revoke all on function crew.approve_correction(uuid, text) from public;
grant execute on function crew.approve_correction(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function crew.approve_correction(uuid, text) is
'Applies a correction that another person asked for, keeps the version before it, and queues the pay that it touches for recomputing;
stored results stay. p_correction: crew.corrections.id; p_reason: the approver''s own words, or null.
Raises 42501, CP310 (not another person), CP311 (nothing waits), CP313 (the row changed since), CP317 (delegation ended).';
