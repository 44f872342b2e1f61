-- The credit stage of a plan: every amount of leg, duty, day and trip as it is booked.

-- One credit amount per row: the winner's excess at each node, and each add.
-- Leg amounts are booked by the leg's departure, all others by the start or end of their node.
create or replace function rules.plan_credit(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[] := array[]::text[];
  v_level record;
  v_term rules.compiled_term;
  v_default_books text := coalesce(p_settings ->> 'books', 'start');
  v_ends text;
begin
  for v_level in
    select *
    from (values
      ('leg', '_legs', 'leg_no', 'day', 'books_day', 'books_day'),
      ('duty', '_duties', 'report::bigint', 'day', 'day', 'end_day'),
      ('day', '_days', 'day::bigint', 'day', 'day', 'day'),
      ('trip', '_trips', 'trip_no', 'day', 'day', 'end_day')) as l (level, stage, node, rate_day, start_day, end_day)
    where l.level <> 'day' or exists (select from unnest(p_terms) as t where t.level = 'day')
  loop
    if exists (select from unnest(p_terms) as t where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest') then
      select string_agg(t.term_no::text, ', ' order by t.term_no) into v_ends
      from unnest(p_terms) as t
      where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest'
        and coalesce(t.expanded ->> 'books', v_default_books) = 'end';
      v_branches := v_branches || format(
        'select no, winner as term_no, %s as node, excess as quantity, %s as rate_day, %s as books_day from %s where winner is not null',
        v_level.node, v_level.rate_day,
        case when v_ends is null or v_level.level = 'leg' then v_level.start_day
          else format('case when winner in (%s) then %s else %s end', v_ends, v_level.end_day, v_level.start_day) end,
        v_level.stage);
    end if;
    foreach v_term in array p_terms loop
      if v_term.level = v_level.level and v_term.kind = 'credit' and v_term.combine = 'add' then
        v_branches := v_branches || format(
          'select no, %s::smallint, %s, t%s::numeric, %s, %s from %s where t%s <> 0',
          v_term.term_no, v_level.node, v_term.term_no, v_level.rate_day,
          case when coalesce(v_term.expanded ->> 'books', v_default_books) = 'end' then v_level.end_day else v_level.start_day end,
          v_level.stage, v_term.term_no);
      end if;
    end loop;
  end loop;
  if cardinality(v_branches) = 0 then
    return 'select null::integer as no, null::smallint as term_no, null::bigint as node, null::numeric as quantity, null::integer as rate_day, null::integer as books_day where false';
  end if;
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;
comment on function rules.plan_credit(rules.compiled_term[], jsonb) is
'SELECT of the stage _credit: every credit amount with its term, node, the day whose rate pays it and the day it is booked to.';
