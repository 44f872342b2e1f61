-- What has changed since an open period was computed. Statement triggers on every input mark the crew members whose pay it can touch;
-- a run clears the marks of transactions that its snapshot saw, pay.refresh() computes only who is marked.
--
-- Marks are only added, never merged: writers don't wait for each other nor for a run. Marking too much costs a computation, marking
-- too little would leave wrong pay standing, so in doubt it is marked: a fact marks every open period from its own up to three years
-- on, since a rolling measure may look back over 999 days from a trip that began two months before.
-- Triggers run as the owner: an operator, who has no tenant, changes inputs too.

create or replace function pay.mark_crew(p_enterprises uuid[], p_crew uuid[], p_days date[], p_cause text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Of a period without results everybody is to be computed; one mark says to a run in progress that it has not seen all.
  insert into pay.dirty_marks (enterprise_id, pay_period_id, crew_member_id, cause)
  select distinct p.enterprise_id, p.id, case when p.has_results then touched.crew_member_id end, p_cause
  from unnest(p_enterprises, p_crew, p_days) as touched (enterprise_id, crew_member_id, day)
  join (
    select o.enterprise_id, o.id, o.contract_month, o.end_date, exists (
      select
      from pay.pay_runs as r
      where r.enterprise_id = o.enterprise_id and r.pay_period_id = o.id and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period
    ) as has_results
    from pay.pay_periods as o
    where o.status in ('OPEN', 'PROCESSING') and o.enterprise_id = any (p_enterprises)
  ) as p
    on p.enterprise_id = touched.enterprise_id
    and (touched.day is null or touched.day between p.contract_month - 1092 and p.end_date + 3)
$$;
comment on function pay.mark_crew(uuid[], uuid[], date[], text) is
'Marks crew members in every open period that their facts can touch.
p_enterprises, p_crew, p_days: parallel: tenant, crew member (null: everybody), day of the fact (null: any); p_cause: table that changed.';

create or replace function pay.has_open_periods()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from pay.pay_periods as p where p.status in ('OPEN', 'PROCESSING'))
$$;
comment on function pay.has_open_periods() is 'Whether any period is open, whoever''s.';

create or replace function pay.tg_mark_assignments()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_enterprises uuid[];
  v_crew uuid[];
  v_days date[];
begin
  if not pay.has_open_periods() then
    return null;
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (select distinct n.enterprise_id, n.crew_member_id, n.duty_start_time::date as day from new_rows as n) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.crew_assignments');
  end if;
  if tg_op = 'DELETE' then
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (select distinct o.enterprise_id, o.crew_member_id, o.duty_start_time::date as day from old_rows as o) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.crew_assignments');
  elsif tg_op = 'UPDATE' then
    -- Where it was before, if it has moved.
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (
      select distinct o.enterprise_id, o.crew_member_id, o.duty_start_time::date as day
      from old_rows as o
      join new_rows as n on n.enterprise_id = o.enterprise_id and n.id = o.id
      where (n.crew_member_id, n.duty_start_time) is distinct from (o.crew_member_id, o.duty_start_time)
    ) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.crew_assignments');
  end if;
  return null;
end
$$;
comment on function pay.tg_mark_assignments() is
'Statement trigger after changes of assignments: marks their crew members. Runs as the owner.';

create or replace function pay.tg_mark_trips()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_enterprises uuid[];
  v_crew uuid[];
  v_days date[];
begin
  if not pay.has_open_periods() then
    return null;
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (select distinct n.enterprise_id, n.crew_member_id, n.start_at::date as day from new_rows as n) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.trips');
  end if;
  if tg_op = 'DELETE' then
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (select distinct o.enterprise_id, o.crew_member_id, o.start_at::date as day from old_rows as o) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.trips');
  elsif tg_op = 'UPDATE' then
    select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
    from (
      select distinct o.enterprise_id, o.crew_member_id, o.start_at::date as day
      from old_rows as o
      join new_rows as n on n.enterprise_id = o.enterprise_id and n.id = o.id
      where (n.crew_member_id, n.start_at) is distinct from (o.crew_member_id, o.start_at)
    ) as t;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.trips');
  end if;
  return null;
end
$$;
comment on function pay.tg_mark_trips() is
'Statement trigger after changes of trips: marks their crew members. Runs as the owner.';

-- A new flight touches nobody before somebody is assigned to it, and none that somebody flies is deleted.
create or replace function pay.tg_mark_flights()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_enterprises uuid[];
  v_crew uuid[];
  v_days date[];
begin
  if not pay.has_open_periods() then
    return null;
  end if;
  select array_agg(t.enterprise_id), array_agg(t.crew_member_id), array_agg(t.day) into v_enterprises, v_crew, v_days
  from (
    select distinct a.enterprise_id, a.crew_member_id, a.duty_start_time::date as day
    from new_rows as n
    join crew.crew_assignments as a on a.enterprise_id = n.enterprise_id and a.flight_id = n.id
  ) as t;
  perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.flights');
  return null;
end
$$;
comment on function pay.tg_mark_flights() is
'Statement trigger after updates of flights: marks who is on them. Runs as the owner.';

create or replace function pay.tg_mark_months()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprises uuid[];
  v_crew uuid[];
  v_days date[];
begin
  if not pay.has_open_periods() then
    return null;
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    select array_agg(n.enterprise_id), array_agg(n.crew_member_id), array_agg(n.month) into v_enterprises, v_crew, v_days from new_rows as n;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.crew_months');
  end if;
  if tg_op in ('DELETE', 'UPDATE') then
    select array_agg(o.enterprise_id), array_agg(o.crew_member_id), array_agg(o.month) into v_enterprises, v_crew, v_days from old_rows as o;
    perform pay.mark_crew(v_enterprises, v_crew, v_days, 'crew.crew_months');
  end if;
  return null;
end
$$;
comment on function pay.tg_mark_months() is
'Statement trigger after changes of crew months: marks their crew members. Runs as the owner.';

create or replace function pay.tg_mark_members()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprises uuid[];
  v_crew uuid[];
begin
  if not pay.has_open_periods() then
    return null;
  end if;
  if tg_op = 'DELETE' then
    select array_agg(o.enterprise_id), array_agg(o.id) into v_enterprises, v_crew from old_rows as o;
  else
    select array_agg(n.enterprise_id), array_agg(n.id) into v_enterprises, v_crew from new_rows as n;
  end if;
  perform pay.mark_crew(v_enterprises, v_crew, array_fill(null::date, array[coalesce(cardinality(v_crew), 0)]), 'crew.crew_members');
  return null;
end
$$;
comment on function pay.tg_mark_members() is
'Statement trigger after changes of crew members: marks them in every open period. Runs as the owner.';

-- Adjustments that a run has paid are in its results already.
create or replace function pay.tg_mark_adjustments()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pay.dirty_marks (enterprise_id, pay_period_id, crew_member_id, cause)
  select distinct n.enterprise_id, n.pay_period_id, n.crew_member_id, 'pay.adjustments'
  from new_rows as n
  where n.state = 'APPROVED';
  return null;
end
$$;
comment on function pay.tg_mark_adjustments() is
'Statement trigger after changes of adjustments: marks who is to be paid one. Runs as the owner.';

create or replace function pay.tg_mark_overrides()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pay.dirty_marks (enterprise_id, pay_period_id, crew_member_id, cause)
  select distinct n.enterprise_id, n.pay_period_id, n.crew_member_id, 'pay.overrides'
  from new_rows as n
  where n.state in ('APPROVED', 'RESET');
  return null;
end
$$;
comment on function pay.tg_mark_overrides() is
'Statement trigger after changes of overrides: marks whose amount is set or reset. Runs as the owner.';

-- What is everybody's: terms, the rule graph, settings, airports.
create or replace function pay.mark_everybody(p_enterprises uuid[], p_cause text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into pay.dirty_marks (enterprise_id, pay_period_id, cause)
  select p.enterprise_id, p.id, p_cause
  from pay.pay_periods as p
  where p.status in ('OPEN', 'PROCESSING')
    and (p_enterprises is null or p.enterprise_id = any (p_enterprises))
$$;
comment on function pay.mark_everybody(uuid[], text) is
'Marks everybody in every open period of some enterprises.
p_enterprises: tenants, null for all; p_cause: table that changed.';

create or replace function pay.tg_mark_rules()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprises uuid[];
begin
  if tg_op = 'DELETE' then
    select array_agg(distinct o.enterprise_id) into v_enterprises from old_rows as o;
  else
    select array_agg(distinct n.enterprise_id) into v_enterprises from new_rows as n;
  end if;
  perform pay.mark_everybody(coalesce(v_enterprises, '{}'), tg_table_schema || '.' || tg_table_name);
  return null;
end
$$;
comment on function pay.tg_mark_rules() is
'Statement trigger after changes of terms and declared facts: marks the open periods of their enterprises; who is touched, the rulesets say. Runs as the
owner.';

-- Contract months that have periods stay as they are; those before them say where a quarter or a year begins.
create or replace function pay.tg_mark_contract_months()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprises uuid[];
begin
  if tg_op = 'DELETE' then
    select array_agg(distinct o.enterprise_id) into v_enterprises from old_rows as o;
  else
    select array_agg(distinct n.enterprise_id) into v_enterprises from new_rows as n;
  end if;
  perform pay.mark_everybody(coalesce(v_enterprises, '{}'), 'crew.contract_months');
  return null;
end
$$;
comment on function pay.tg_mark_contract_months() is
'Statement trigger after changes of contract months: marks everybody in the open periods of their enterprises. Runs as the owner.';

create or replace function pay.tg_mark_graph()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprises uuid[];
begin
  select array_agg(distinct n.enterprise_id) into v_enterprises from new_rows as n where n.accepted_at is not null;
  perform pay.mark_everybody(coalesce(v_enterprises, '{}'), 'graph.generations');
  return null;
end
$$;
comment on function pay.tg_mark_graph() is
'Statement trigger after updates of generations of the rule graph: one that is accepted marks the open periods, as terms do. Runs as the owner.';

create or replace function pay.tg_mark_airports()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from new_rows as n
    join old_rows as o on o.iata = n.iata
    where (n.time_zone, n.country) is distinct from (o.time_zone, o.country)) then
    perform pay.mark_everybody(null, 'crew.airports');
  end if;
  return null;
end
$$;
comment on function pay.tg_mark_airports() is
'Statement trigger after updates of airports: another time zone or country marks everybody in every open period. Runs as the owner.';

create or replace function pay.tg_mark_settings()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pay.mark_everybody(
    case when s.tenant_id is not null then array[s.tenant_id] end, 'platform.system_configs')
  from (select distinct n.tenant_id from new_rows as n where n.key ~ '^(pay|rules|crew)\.') as s;
  return null;
end
$$;
comment on function pay.tg_mark_settings() is
'Statement trigger after changes of settings that pay may read (pay.…, rules.…, crew.…): marks everybody of their enterprise. Runs as the owner.';

create or replace function pay.tg_mark_periods()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pay.dirty_marks (enterprise_id, pay_period_id, cause)
  select n.enterprise_id, n.id, 'pay.pay_periods'
  from new_rows as n
  join old_rows as o on o.enterprise_id = n.enterprise_id and o.id = n.id
  where n.status in ('OPEN', 'PROCESSING')
    and (o.status in ('CLOSED', 'PAID')
      or (n.start_date, n.end_date, n.contract_month) is distinct from (o.start_date, o.end_date, o.contract_month));
  return null;
end
$$;
comment on function pay.tg_mark_periods() is
'Statement trigger after updates of pay periods: marks everybody where its days changed or it was reopened. Runs as the owner.';

create or replace trigger crew_assignments_90_dirty_inserted after insert on crew.crew_assignments
  referencing new table as new_rows for each statement execute function pay.tg_mark_assignments();
comment on trigger crew_assignments_90_dirty_inserted on crew.crew_assignments is 'Marks whose pay is to be computed again.';
create or replace trigger crew_assignments_90_dirty_updated after update on crew.crew_assignments
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_mark_assignments();
comment on trigger crew_assignments_90_dirty_updated on crew.crew_assignments is 'Marks whose pay is to be computed again.';
create or replace trigger crew_assignments_90_dirty_deleted after delete on crew.crew_assignments
  referencing old table as old_rows for each statement execute function pay.tg_mark_assignments();
comment on trigger crew_assignments_90_dirty_deleted on crew.crew_assignments is 'Marks whose pay is to be computed again.';
create or replace trigger trips_90_dirty_inserted after insert on crew.trips
  referencing new table as new_rows for each statement execute function pay.tg_mark_trips();
comment on trigger trips_90_dirty_inserted on crew.trips is 'Marks whose pay is to be computed again.';
create or replace trigger trips_90_dirty_updated after update on crew.trips
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_mark_trips();
comment on trigger trips_90_dirty_updated on crew.trips is 'Marks whose pay is to be computed again.';
create or replace trigger trips_90_dirty_deleted after delete on crew.trips
  referencing old table as old_rows for each statement execute function pay.tg_mark_trips();
comment on trigger trips_90_dirty_deleted on crew.trips is 'Marks whose pay is to be computed again.';
create or replace trigger flights_90_dirty_updated after update on crew.flights
  referencing new table as new_rows for each statement execute function pay.tg_mark_flights();
comment on trigger flights_90_dirty_updated on crew.flights is 'Marks whose pay is to be computed again.';
create or replace trigger crew_months_90_dirty_inserted after insert on crew.crew_months
  referencing new table as new_rows for each statement execute function pay.tg_mark_months();
comment on trigger crew_months_90_dirty_inserted on crew.crew_months is 'Marks whose pay is to be computed again.';
create or replace trigger crew_months_90_dirty_updated after update on crew.crew_months
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_mark_months();
comment on trigger crew_months_90_dirty_updated on crew.crew_months is 'Marks whose pay is to be computed again.';
create or replace trigger crew_months_90_dirty_deleted after delete on crew.crew_months
  referencing old table as old_rows for each statement execute function pay.tg_mark_months();
comment on trigger crew_months_90_dirty_deleted on crew.crew_months is 'Marks whose pay is to be computed again.';
create or replace trigger crew_members_90_dirty_inserted after insert on crew.crew_members
  referencing new table as new_rows for each statement execute function pay.tg_mark_members();
comment on trigger crew_members_90_dirty_inserted on crew.crew_members is 'Marks whose pay is to be computed.';
create or replace trigger crew_members_90_dirty_updated after update on crew.crew_members
  referencing new table as new_rows for each statement execute function pay.tg_mark_members();
comment on trigger crew_members_90_dirty_updated on crew.crew_members is 'Marks whose pay is to be computed again.';
create or replace trigger crew_members_90_dirty_deleted after delete on crew.crew_members
  referencing old table as old_rows for each statement execute function pay.tg_mark_members();
comment on trigger crew_members_90_dirty_deleted on crew.crew_members is 'Marks whose pay is to be computed again.';
create or replace trigger adjustments_90_dirty_inserted after insert on pay.adjustments
  referencing new table as new_rows for each statement execute function pay.tg_mark_adjustments();
comment on trigger adjustments_90_dirty_inserted on pay.adjustments is 'Marks whose pay is to be computed again.';
create or replace trigger adjustments_90_dirty_updated after update on pay.adjustments
  referencing new table as new_rows for each statement execute function pay.tg_mark_adjustments();
comment on trigger adjustments_90_dirty_updated on pay.adjustments is 'Marks whose pay is to be computed again.';
create or replace trigger overrides_90_dirty_inserted after insert on pay.overrides
  referencing new table as new_rows for each statement execute function pay.tg_mark_overrides();
comment on trigger overrides_90_dirty_inserted on pay.overrides is 'Marks whose pay is to be computed again.';
create or replace trigger overrides_90_dirty_updated after update on pay.overrides
  referencing new table as new_rows for each statement execute function pay.tg_mark_overrides();
comment on trigger overrides_90_dirty_updated on pay.overrides is 'Marks whose pay is to be computed again.';
create or replace trigger union_contract_terms_90_dirty_inserted after insert on rules.union_contract_terms
  referencing new table as new_rows for each statement execute function pay.tg_mark_rules();
comment on trigger union_contract_terms_90_dirty_inserted on rules.union_contract_terms is 'Marks the open periods.';
create or replace trigger union_contract_terms_90_dirty_updated after update on rules.union_contract_terms
  referencing new table as new_rows for each statement execute function pay.tg_mark_rules();
comment on trigger union_contract_terms_90_dirty_updated on rules.union_contract_terms is 'Marks the open periods.';
create or replace trigger union_contract_terms_90_dirty_deleted after delete on rules.union_contract_terms
  referencing old table as old_rows for each statement execute function pay.tg_mark_rules();
comment on trigger union_contract_terms_90_dirty_deleted on rules.union_contract_terms is 'Marks the open periods.';
create or replace trigger declared_facts_90_dirty_inserted after insert on rules.declared_facts
  referencing new table as new_rows for each statement execute function pay.tg_mark_rules();
comment on trigger declared_facts_90_dirty_inserted on rules.declared_facts is 'Marks the open periods.';
create or replace trigger declared_facts_90_dirty_updated after update on rules.declared_facts
  referencing new table as new_rows for each statement execute function pay.tg_mark_rules();
comment on trigger declared_facts_90_dirty_updated on rules.declared_facts is 'Marks the open periods: the fact may be read elsewhere.';
create or replace trigger declared_facts_90_dirty_deleted after delete on rules.declared_facts
  referencing old table as old_rows for each statement execute function pay.tg_mark_rules();
comment on trigger declared_facts_90_dirty_deleted on rules.declared_facts is 'Marks the open periods.';
create or replace trigger contract_months_90_dirty_inserted after insert on crew.contract_months
  referencing new table as new_rows for each statement execute function pay.tg_mark_contract_months();
comment on trigger contract_months_90_dirty_inserted on crew.contract_months is 'Marks everybody when quarters and years may begin elsewhere.';
create or replace trigger contract_months_90_dirty_updated after update on crew.contract_months
  referencing new table as new_rows for each statement execute function pay.tg_mark_contract_months();
comment on trigger contract_months_90_dirty_updated on crew.contract_months is 'Marks everybody when quarters and years may begin elsewhere.';
create or replace trigger contract_months_90_dirty_deleted after delete on crew.contract_months
  referencing old table as old_rows for each statement execute function pay.tg_mark_contract_months();
comment on trigger contract_months_90_dirty_deleted on crew.contract_months is 'Marks everybody when quarters and years may begin elsewhere.';
create or replace trigger generations_90_dirty_updated after update on graph.generations
  referencing new table as new_rows for each statement execute function pay.tg_mark_graph();
comment on trigger generations_90_dirty_updated on graph.generations is 'Marks the open periods when a generation of the rule graph is accepted.';
create or replace trigger airports_90_dirty_updated after update on crew.airports
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_mark_airports();
comment on trigger airports_90_dirty_updated on crew.airports is 'Marks everybody when a clock changes.';
create or replace trigger system_configs_90_dirty_inserted after insert on platform.system_configs
  referencing new table as new_rows for each statement execute function pay.tg_mark_settings();
comment on trigger system_configs_90_dirty_inserted on platform.system_configs is 'Marks everybody when a setting of pay changes.';
create or replace trigger system_configs_90_dirty_updated after update on platform.system_configs
  referencing new table as new_rows for each statement execute function pay.tg_mark_settings();
comment on trigger system_configs_90_dirty_updated on platform.system_configs is 'Marks everybody when a setting of pay changes.';
create or replace trigger pay_periods_90_dirty_updated after update on pay.pay_periods
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_mark_periods();
comment on trigger pay_periods_90_dirty_updated on pay.pay_periods is 'Marks everybody when its days change or it is reopened.';

-- What a run has seen is clean. Marks of transactions that its snapshot did not see stay.
create or replace function pay.clear_marks(p_enterprise uuid, p_period uuid, p_snapshot pg_snapshot)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  delete from pay.dirty_marks as m
  where m.enterprise_id = p_enterprise
    and m.pay_period_id = p_period
    and (pg_visible_in_snapshot(m.marked_in, p_snapshot) or m.marked_in = pg_current_xact_id())
$$;
comment on function pay.clear_marks(uuid, uuid, pg_snapshot) is
'Clears the marks of a period that a run has taken account of.
p_enterprise: tenant; p_period: period; p_snapshot: what the run saw at least.';

-- A month's later periods take back what an earlier one paid in advance: they rest on its results, not on facts alone.
create or replace function pay.mark_later(p_run pay.pay_runs, p_period pay.pay_periods, p_crew uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_later uuid;
begin
  -- Mostly there is none, and then results needn't be looked at.
  for v_later in
    select p.id
    from pay.pay_periods as p
    where p.enterprise_id = p_period.enterprise_id
      and p.contract_month = p_period.contract_month
      and p.start_date > p_period.start_date
      and p.status in ('OPEN', 'PROCESSING')
  loop
    insert into pay.dirty_marks (enterprise_id, pay_period_id, crew_member_id, cause)
    select c.enterprise_id, v_later, c.crew_member_id, 'pay.pay_calculations'
    from pay.pay_calculations as c
    where c.enterprise_id = p_run.enterprise_id
      and c.pay_period_id = p_run.pay_period_id
      and c.run_id = p_run.id
      and (p_crew is null or c.crew_member_id = any (p_crew))
      and exists (
        select
        from rules.ruleset_terms as t
        where t.enterprise_id = c.enterprise_id and t.ruleset_id = c.ruleset_id and t.kind = 'advance');
  end loop;
end
$$;
comment on function pay.mark_later(pay.pay_runs, pay.pay_periods, uuid[]) is
'Marks in the month''s later periods whoever a run has computed, where the contract pays in advance.
p_run: the run; p_period: its period; p_crew: crew members it was asked for, null for all.';
