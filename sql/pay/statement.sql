-- The statement: pay.explain() as text, for any client that can print rows.

create or replace function pay.statement_title(p_crew_member uuid, p_period uuid)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select line
  from crew.crew_members as c
  join pay.pay_calculations as r on r.enterprise_id = c.enterprise_id and r.crew_member_id = c.id
  join pay.pay_periods as p on p.enterprise_id = r.enterprise_id and p.id = r.pay_period_id
  join platform.enterprises as e on e.id = c.enterprise_id
  cross join lateral unnest(array[
    format('%s – pay statement %s to %s', e.name, p.start_date, p.end_date),
    format('%s %s %s, %s, base %s, hired %s', c.employee_id, c.first_name, c.last_name, lower(replace(c.position::text, '_', ' ')), c.base_location, c.hire_date),
    format('%s credit hours, %s overtime hours%s; %s', r.flight_pay_hours, r.overtime_hours,
      coalesce(', guarantee ' || r.guarantee_hours, ''),
      case when r.validated_at is null then 'not yet approved' else format('approved by %s on %s', r.validated_by, r.validated_at::date) end),
    '']) with ordinality as lines (line, line_no)
  where c.enterprise_id = auth.enterprise_id() and c.id = p_crew_member and p.id = p_period
  order by line_no
$$;
comment on function pay.statement_title(uuid, uuid) is 'Head of a pay statement.';

create or replace function pay.statement(p_employee_id text, p_month date)
returns setof text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew_member uuid;
  v_period record;
  v_any boolean := false;
begin
  perform auth.require_role('crew', 'payroll', 'admin', 'service_role');
  select c.id into v_crew_member
  from crew.crew_members as c
  where c.enterprise_id = auth.enterprise_id()
    and c.employee_id = p_employee_id
    and (auth.role() <> 'crew' or c.id = auth.uid());
  for v_period in
    select p.id
    from pay.pay_periods as p
    join pay.pay_calculations as r on r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id and r.crew_member_id = v_crew_member
    where p.enterprise_id = auth.enterprise_id()
      and p.contract_month = date_trunc('month', p_month)::date
    order by p.start_date
  loop
    v_any := true;
    return query select * from pay.statement_title(v_crew_member, v_period.id);
    return query
    select printed.line
    from pay.explain(v_crew_member, v_period.id) as e
    cross join lateral (select case e.level when 'duty' then '  ' when 'day' then '  ' when 'leg' then '    ' else '' end) as margin (indent)
    cross join lateral (
      -- An empty row before each trip and the month.
      select '', 0
      where e.outcome = 'heading' and e.level in ('trip', 'month')
      union all
      select case e.outcome
        when 'total' then rpad('TOTAL', 84) || lpad(to_char(e.amount, 'FM999,990.00'), 12)
        when 'component' then '  ' || rpad(replace(e.component::text, '_', ' '), 82) || lpad(to_char(e.amount, 'FM999,990.00'), 12)
        when 'heading' then margin.indent || e.heading || case when e.level = 'leg' then '' else coalesce('  [' || e.arithmetic || ']', '') end
        when 'paid' then rpad(margin.indent || '  ' || rpad(e.term_code, 18) || ' ' || e.label || ': ' || e.arithmetic, 84) || lpad(to_char(e.amount, 'FM999,990.00'), 12)
        else margin.indent || '  ' || rpad(e.term_code, 18) || ' (' || e.label || ' ' || e.arithmetic || ')' end, 1
    ) as printed (line, line_no)
    where e.outcome <> 'component' or e.amount <> 0
    order by e.item_no, printed.line_no;
  end loop;
  if not v_any then
    raise exception using
      errcode = 'CP214',
      message = format('no result for %s in %s', p_employee_id, to_char(p_month, 'YYYY-MM')),
      hint = 'Run the period first (crewpay pay run), and ask for a crew member whose pay you may see.';
  end if;
end
$$;
alter function pay.statement(text, date) owner to crewpay_definer;
grant execute on function pay.statement(text, date) to crewpay_crew, crewpay_payroll, crewpay_admin, crewpay_service;
comment on function pay.statement(text, date) is
'The pay statement of a crew member in a month as lines of text: total, components, then every trip, duty and leg with clause and arithmetic.
p_employee_id: employee number (crew: their own); p_month: any day of the month.
In brackets: candidates of a greatest-of that did not win. Raises CP214, 42501.';
