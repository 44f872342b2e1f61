-- What a contract was compiled to, for those who administer it: one SELECT a stage, as a run of a period would execute it.

create or replace function rules.compiled(p_period uuid, p_position crew.crew_position)
returns table (ruleset_id uuid, ruleset_hash text, step_no smallint, name text, statement text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
  v_ruleset uuid;
  v_tokens jsonb;
begin
  perform auth.require_role('admin');
  select * into v_period
  from pay.pay_periods as p
  where p.enterprise_id = auth.enterprise_id() and p.id = p_period;
  if not found then
    raise exception using
      errcode = 'CP214',
      message = format('no pay period %s', p_period),
      hint = 'List them: select id, start_date, end_date from pay.pay_periods.';
  end if;
  select rules.ruleset_for(v_period.enterprise_id, g.positions, v_period.contract_month) into v_ruleset
  from rules.position_groups(v_period.enterprise_id, rules.month_span(v_period.enterprise_id, v_period.contract_month)) as g
  where p_position = any (g.positions);
  if not found then
    raise exception using
      errcode = 'CP213',
      message = format('no terms of %s are in force', p_position),
      detail = format('contract month of %s', v_period.contract_month),
      hint = 'Load a contract for this position and these dates.';
  end if;
  v_tokens := pay.plan_tokens(v_period.enterprise_id, v_period, null);
  return query
    select r.id, r.hash, s.step_no, s.name, pay.fill_tokens(s.statement, v_tokens)
    from rules.rulesets as r
    join rules.plans as s on s.enterprise_id = r.enterprise_id and s.ruleset_id = r.id
    where r.enterprise_id = v_period.enterprise_id and r.id = v_ruleset
    order by s.step_no;
end
$$;
alter function rules.compiled(uuid, crew.crew_position) owner to crewpay_definer;
grant execute on function rules.compiled(uuid, crew.crew_position) to crewpay_admin;
comment on function rules.compiled(uuid, crew.crew_position) is
'The compiled statements of a contract, in order: each reads the stages before it by their names. For administrators.
p_period: pay period; p_position: one of the positions paid alike. Compiles what isn''t stored yet.
Raises CP213 (no terms), CP214 (unknown period), CP201 to CP206 (a term that doesn''t compile), 42501.';

create or replace function rules.compiled_query(p_period uuid, p_position crew.crew_position)
returns text
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format(E'with %s\nselect * from _lines', string_agg(format(E'%I as materialized (\n%s\n)', c.name, c.statement), E',\n' order by c.step_no))
  from rules.compiled(p_period, p_position) as c
$$;
grant execute on function rules.compiled_query(uuid, crew.crew_position) to crewpay_admin;
comment on function rules.compiled_query(uuid, crew.crew_position) is
'The compiled statements as one, whose rows are the lines of the period.
p_period: pay period; p_position: one of the positions paid alike. Raises what rules.compiled() raises.';

create or replace function rules.explain_compiled(p_period uuid, p_position crew.crew_position, p_analyze boolean default false)
returns setof text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
begin
  perform auth.require_role('admin');
  return query execute format('explain (analyze %1$s, buffers %1$s) %2$s', p_analyze::text, rules.compiled_query(p_period, p_position));
end
$$;
alter function rules.explain_compiled(uuid, crew.crew_position, boolean) owner to crewpay_definer;
grant execute on function rules.explain_compiled(uuid, crew.crew_position, boolean) to crewpay_admin;
comment on function rules.explain_compiled(uuid, crew.crew_position, boolean) is
'EXPLAIN of the compiled statements joined into one, as the engine sees it. For administrators; reads only.
p_period: pay period; p_position: one of the positions paid alike; p_analyze: whether it is executed, and its times and buffers shown.
Raises what rules.compiled() raises.';
