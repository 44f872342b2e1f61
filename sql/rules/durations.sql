-- Durations: hours as a number, "h:mm", or an expression; in SQL always minutes.

-- A duration as JsonLogic in minutes: what has no unit is hours, branch by branch of an if.
create or replace function rules.duration_logic(p_value jsonb, p_level text, p_measures jsonb, p_where text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := p_value #>> '{}';
begin
  case jsonb_typeof(p_value)
    when 'number' then
      return to_jsonb(trim_scale(v_text::numeric * 60));
    when 'string' then
      if v_text !~ '^\d{1,4}:[0-5]\d$' then
        perform rules.refuse('CP204', p_where, format('%s is not a duration', v_text), 'Write hours as 5 or 3.82, or "4:20".');
      end if;
      return to_jsonb(split_part(v_text, ':', 1)::integer * 60 + split_part(v_text, ':', 2)::integer);
    when 'object' then
      if jsonb_typeof(p_value -> 'if') = 'array' then
        return jsonb_build_object('if', (
          select jsonb_agg(
            case
              when branch_no % 2 = 0 or branch_no = jsonb_array_length(p_value -> 'if')
                then rules.duration_logic(branch, p_level, p_measures, format('%s.if[%s]', p_where, branch_no - 1))
              else branch end
            order by branch_no)
          from jsonb_array_elements(p_value -> 'if') with ordinality as branches (branch, branch_no)));
      elsif (rules.compile_expression(p_value, p_level, p_measures, p_where)).unit = 'none' then
        return jsonb_build_object('*', jsonb_build_array(60, p_value));
      end if;
      return p_value;
    else
      perform rules.refuse('CP204', p_where, 'a duration is a number of hours, "h:mm" or an expression', 'Write 5, 3.82 or "4:20".');
  end case;
  return null;
end
$$;
comment on function rules.duration_logic(jsonb, text, jsonb, text) is
'A duration parameter as JsonLogic in minutes.
p_value: hours as a number, "h:mm", or an expression whose branches without unit are hours. Raises CP203, CP204.';

create or replace function rules.compile_duration(p_value jsonb, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_part rules.sql_expression := rules.compile_expression(
    rules.duration_logic(p_value, p_level, p_measures, p_where), p_level, p_measures, p_where);
begin
  perform rules.require_number(v_part, p_where, false);
  v_part.unit := 'min';
  return v_part;
end
$$;
comment on function rules.compile_duration(jsonb, text, jsonb, text) is
'A duration parameter (hours, beyond, cap, thresholds) as SQL in minutes.
Raises CP203, CP204 as rules.compile_expression.';

create or replace function rules.compile_bound(p_value jsonb, p_is_count boolean, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound rules.sql_expression;
begin
  if not p_is_count then
    return rules.compile_duration(p_value, p_level, p_measures, p_where);
  end if;
  v_bound := rules.compile_expression(p_value, p_level, p_measures, p_where);
  perform rules.require_number(v_bound, p_where, false);
  if v_bound.unit <> 'none' then
    perform rules.refuse('CP204', p_where, 'minutes bound a count', 'Give a number of what is counted.');
  end if;
  return v_bound;
end
$$;
comment on function rules.compile_bound(jsonb, boolean, text, jsonb, text) is
'What a quantity is bounded by (beyond, cap): a duration, or of what is counted a number.
p_value: the parameter; p_is_count: whether a count is bounded; p_level, p_measures, p_where: as rules.compile_expression. Raises CP203, CP204.';
