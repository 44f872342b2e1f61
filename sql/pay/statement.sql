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

create or replace function pay.statement_row(p_text text, p_amount numeric)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- A text that is too long pushes its amount to the right; arithmetic is never cut off.
  select rpad(p_text, greatest(90, length(p_text))) || lpad(to_char(p_amount, 'FM999,990.00'), 12)
$$;
comment on function pay.statement_row(text, numeric) is 'A row of a statement: text and, in the right column, its amount.';

-- Why there is nothing to print. Crew learn only that there is none of their own.
create or replace function pay.refuse_statement(p_employee_id text, p_month date)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_newest date;
begin
  if auth.role() <> 'crew' then
    if not exists (select from crew.crew_members as c where c.enterprise_id = auth.enterprise_id() and c.employee_id = p_employee_id) then
      raise exception using
        errcode = 'CP214',
        message = format('there is no crew member %s in this enterprise', p_employee_id),
        hint = 'Employee numbers: select employee_id from crew.crew_members.';
    end if;
    if not exists (
      select from pay.pay_periods as p
      where p.enterprise_id = auth.enterprise_id() and p.contract_month = crew.named_month(auth.enterprise_id(), p_month)) then
      select max(p.contract_month) into v_newest from pay.pay_periods as p where p.enterprise_id = auth.enterprise_id();
      raise exception using
        errcode = 'CP214',
        message = format('there is no pay period in %s', to_char(p_month, 'YYYY-MM')),
        hint = coalesce('The newest is in ' || to_char(v_newest, 'YYYY-MM') || '.', 'There is none at all.');
    end if;
  end if;
  raise exception using
    errcode = 'CP214',
    message = format('no result for %s in %s', p_employee_id, to_char(p_month, 'YYYY-MM')),
    hint = 'Run the period first (crewpay pay run), and ask for a crew member whose pay you may see.';
end
$$;
comment on function pay.refuse_statement(text, date) is
'Says why there is no statement: no such crew member, no such period, or not run yet.
p_employee_id, p_month: as pay.statement(). Raises CP214.';

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
      and p.contract_month = crew.named_month(auth.enterprise_id(), p_month)
    order by p.start_date
  loop
    v_any := true;
    return query select * from pay.statement_title(v_crew_member, v_period.id);
    return query
    select printed.line
    from pay.explain(v_crew_member, v_period.id) as e
    cross join lateral (select case e.level when 'duty' then '  ' when 'day' then '  ' when 'leg' then '    ' else '' end) as margin (indent)
    cross join lateral (
      -- An empty row before each trip, span, the adjustments and the rule graph.
      select '', 0
      where e.outcome = 'heading' and e.level in ('trip', 'period', 'month', 'quarter', 'year', 'graph')
      union all
      select case e.outcome
        when 'total' then pay.statement_row('TOTAL', e.amount)
        when 'finding' then '  ! ' || e.heading
        when 'component' then pay.statement_row('  ' || replace(e.component::text, '_', ' '), e.amount)
        when 'heading' then margin.indent || e.heading || case when e.level = 'leg' then '' else coalesce('  [' || e.arithmetic || ']', '') end
        when 'paid' then pay.statement_row(margin.indent || '  ' || rpad(e.term_code, 18) || ' ' || e.label || ': ' || e.arithmetic, e.amount)
        when 'reason' then '  ' || rpad(e.term_code, 18) || ' ' || e.arithmetic
        else margin.indent || '  ' || rpad(e.term_code, 18) || ' (' || e.label || ' ' || e.arithmetic || ')' end, 1
    ) as printed (line, line_no)
    where e.outcome <> 'component' or e.amount <> 0
    order by e.item_no, printed.line_no;
  end loop;
  if not v_any then
    perform pay.refuse_statement(p_employee_id, p_month);
  end if;
end
$$;
alter function pay.statement(text, date) owner to crewpay_definer;
grant execute on function pay.statement(text, date) to crewpay_crew, crewpay_payroll, crewpay_admin, crewpay_service;
comment on function pay.statement(text, date) is
'The pay statement of a crew member in a month as lines of text: total, components, then every trip, duty and leg with clause and arithmetic.
p_employee_id: employee number (crew: their own); p_month: any day of the calendar month; the contract month is the one that holds its 15th.
In brackets: candidates of a greatest-of that did not win. Last, what the rule graph says about the clauses. Raises CP214, 42501.';
