-- What a stored line cites stays: legs and trips are retired or corrected, never deleted. Terms are held by ruleset_terms' foreign key.

create or replace function pay.tg_refuse_cited()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint := case tg_table_name when 'trips' then (to_jsonb(old) ->> 'trip_no')::bigint else (to_jsonb(old) ->> 'leg_no')::bigint end;
  v_level text := case tg_table_name when 'trips' then 'trip' else 'leg' end;
begin
  if exists (
    select
    from (
      select c.ruleset_id, c.line_term, c.line_node
      from pay.pay_calculations as c
      where c.enterprise_id = old.enterprise_id and c.crew_member_id = old.crew_member_id
      union all
      select v.ruleset_id, v.line_term, v.line_node
      from pay.calculation_versions as v
      where v.enterprise_id = old.enterprise_id and v.crew_member_id = old.crew_member_id
    ) as results
    cross join lateral unnest(results.line_term, results.line_node) as l (term_no, node)
    join rules.ruleset_terms as t on t.enterprise_id = old.enterprise_id and t.ruleset_id = results.ruleset_id and t.term_no = l.term_no
    where t.level = v_level and l.node = v_node) then
    raise exception using
      errcode = 'CP003',
      message = format('pay lines cite this row of %s.%s', tg_table_schema, tg_table_name),
      detail = format('%s %s', v_level, v_node),
      hint = 'Retire an assignment (retired_at) or correct the fact; what was paid must stay explainable.';
  end if;
  return old;
end
$$;
comment on function pay.tg_refuse_cited() is
'Row trigger before DELETE on assignments and trips: refuses what a stored line cites.
Runs as the owner, so that it sees every result. Raises CP003.';

create or replace trigger crew_assignments_10_cited before delete on crew.crew_assignments
  for each row execute function pay.tg_refuse_cited();
comment on trigger crew_assignments_10_cited on crew.crew_assignments is 'Legs that a line cites are retired, never deleted.';
create or replace trigger trips_10_cited before delete on crew.trips
  for each row execute function pay.tg_refuse_cited();
comment on trigger trips_10_cited on crew.trips is 'Trips that a line cites are never deleted.';

-- A period lies inside one contract month; without one given, it is the month that holds its first day.
create or replace function pay.tg_period_month()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_month record;
begin
  select m.* into v_month from crew.contract_month(new.enterprise_id, coalesce(new.contract_month, new.start_date)) as m;
  new.contract_month := coalesce(new.contract_month, v_month.month);
  if new.contract_month <> v_month.month or new.start_date < v_month.month or new.end_date > v_month.last_day
    or exists (
      select
      from crew.contract_months as other
      where other.enterprise_id = new.enterprise_id
        and other.month <> v_month.month
        and other.month <= new.end_date
        and other.last_day >= new.start_date) then
    raise exception using
      errcode = 'CP112',
      message = format('the period %s to %s does not lie inside the contract month %s to %s', new.start_date, new.end_date, v_month.month, v_month.last_day),
      hint = 'Split it at the month''s end: guarantee and overtime are counted by contract month.';
  end if;
  return new;
end
$$;
comment on function pay.tg_period_month() is
'Row trigger before INSERT and UPDATE on pay_periods: gives a period its contract month and refuses one that spans two. Raises CP112.';

create or replace trigger pay_periods_10_month before insert or update on pay.pay_periods
  for each row execute function pay.tg_period_month();
comment on trigger pay_periods_10_month on pay.pay_periods is 'A period lies inside one contract month.';
