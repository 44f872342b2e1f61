-- Rolling measures: this and earlier nodes of the crew member, by their start, as far back as the measure says. What has begun up
-- to this node, less what began before the window: a node counts while its day is after this node's day less the months or days.

create or replace function rules.roll(p_term rules.compiled_term, p_where text)
returns rules.compiled_term
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rolling jsonb := p_term.expanded -> 'rolling';
  v_start text;
  v_day text;
  v_one text;
begin
  case p_term.level
    when 'leg' then
      v_start := 'report, leg_scheduled_out_at, leg_no';
      v_day := 'day';
    when 'duty' then
      v_start := 'report';
      v_day := rules.base_day_sql('report');
    when 'trip' then
      v_start := 'start_at';
      v_day := rules.base_day_sql('start_at');
    else
      perform rules.refuse('CP205', p_where || ' $.rolling', format('a rolling measure of the %s', p_term.level), 'Measure legs, duties or trips.');
  end case;
  if coalesce(v_rolling ->> 'months', v_rolling ->> 'days') !~ '^[1-9]\d{0,2}$' or (v_rolling ->> 'months')::integer > 24 then
    perform rules.refuse('CP202', p_where || ' $.rolling', 'a window of 1 to 24 months, or 1 to 999 days, is wanted', 'Write {"months": 3} or {"days": 90}.');
  elsif (p_term.quantity).nullable then
    perform rules.refuse('CP204', p_where || ' $.rolling', 'a rolling measure of what may be missing', 'Give a default: {"var": ["name", 0]}.');
  end if;

  v_one := format('coalesce(%s, 0)', case when (p_term.gate).sql is null then format('(%s)', (p_term.quantity).sql)
    else format('case when (%s) then (%s) end', (p_term.gate).sql, (p_term.quantity).sql) end);
  p_term.quantity := (
    format('(sum(%1$s) over (partition by no order by %2$s rows unbounded preceding) - coalesce(sum(%1$s) over (partition by no order by %3$s), 0))%4$s',
      v_one, v_start,
      case when v_rolling ? 'months'
        then format('timestamp ''1970-01-01'' + make_interval(days => %s) range between unbounded preceding and interval ''%s months'' preceding', v_day, (v_rolling ->> 'months')::integer)
        else format('%s range between unbounded preceding and %s preceding', v_day, (v_rolling ->> 'days')::integer) end,
      case (p_term.quantity).value_type when 'int' then '::integer' else '' end),
    (p_term.quantity).value_type, (p_term.quantity).unit, false,
    (p_term.quantity).needs || coalesce((p_term.gate).needs, '{}') || case p_term.level when 'leg' then '{leg.scheduled_out_at}'::text[] else '{}' end)::rules.sql_expression;
  p_term.gate := null;
  return p_term;
end
$$;
comment on function rules.roll(rules.compiled_term, text) is
'A measure that counts this and earlier nodes within its window, {"months": n} or {"days": n}.
p_term: the measure as compiled for one node; p_where: for messages. Raises CP202, CP204, CP205.';
