-- The span stages of a plan: what the month has come to, to date.

-- What credit of the month itself counts toward the guarantee or the threshold: the winner's excess and the adds, by their flags.
create or replace function rules.month_more_sql(p_terms rules.compiled_term[], p_guarantee boolean)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(
    case t.combine
      when 'add' then format('coalesce(t%s, 0)', t.term_no)
      else format('case when month_winner = %s then month_excess else 0 end', t.term_no) end,
    ' + ' order by t.term_no), '0::numeric')
  from unnest(p_terms) as t
  where t.level = 'month'
    and t.kind = 'credit'
    and not t.is_guarantee
    and case when p_guarantee then t.toward_guarantee else t.toward_threshold end
$$;
comment on function rules.month_more_sql(rules.compiled_term[], boolean) is
'SQL for the credit that the month''s own terms add to its guarantee or threshold total.
p_guarantee: toward the guarantee, else toward the threshold.';

-- The month to date at the end of the period and, where the period isn't the month's first, at the end of the one before:
-- a period pays what the month to date adds.
create or replace function rules.plan_months(p_terms rules.compiled_term[], p_measures jsonb, p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sums text := '';
  v_sum_joins text := '';
  v_need text;
  v_name text;
  v_stage text;
  v_candidates text;
  v_guarantee text;
  v_sql text;
  v_not_guarantee text;
  v_not_threshold text;
begin
  -- Sums over the month of what was measured below, by the day the node is booked to.
  for v_need in
    select distinct n
    from unnest(p_terms) as t
    cross join lateral unnest((t.quantity).needs || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as n
    where t.level = 'month' and split_part(n, '.', 1) = 'month'
      and not exists (select from rules.facts as f where f.level = 'month' and f.name = split_part(n, '.', 2))
      and coalesce(p_measures -> split_part(n, '.', 2) ->> 'level', 'leg') <> 'month'
    order by n
  loop
    v_name := split_part(v_need, '.', 2);
    v_stage := coalesce(p_measures -> v_name ->> 'level', 'leg');
    v_sums := v_sums || format(', coalesce(%1$s_sum.total, 0) as month_%1$s', v_name);
    v_sum_joins := v_sum_joins || format(E'\nleft join lateral (\n  select sum(x.%s_%s) as total\n  from %s as x\n  where x.no = p.no and x.%s between @month_first_day@ and u.upto\n) as %s_sum on true',
      v_stage, v_name, case v_stage when 'leg' then '_legs' when 'duty' then '_duties' else '_trips' end,
      case when v_stage = 'leg' then 'books_day' when p_settings ->> 'books' = 'end' then 'end_day' else 'day' end, v_name);
  end loop;

  select string_agg(t.term_no::text, ', ') filter (where not t.toward_guarantee), string_agg(t.term_no::text, ', ') filter (where not t.toward_threshold)
  into v_not_guarantee, v_not_threshold
  from unnest(p_terms) as t
  where t.kind = 'credit' and t.level <> 'month';

  v_sql := format($q$select p.no, u.upto, u.at_end,
  p.crew_position, p.crew_base, p.crew_years_of_service, p.crew_contract_type, p.crew_union_status, p.crew_seniority_number,
  p.month_days, p.month_work_days, p.month_unpaid_days, p.month_line_type, p.month_award_credit, p.month_is_last,
  coalesce(c.paid_credit, 0) as month_paid_credit,
  coalesce(c.guarantee_credit, 0) as month_guarantee_credit,
  coalesce(c.threshold_credit, 0) as month_threshold_credit%s
from _people as p
cross join (
  select @period_last_day@ as upto, true as at_end
  union all
  select @period_first_day@ - 1, false
  where @period_first_day@ > @month_first_day@
) as u
left join (
  select x.no, cut.upto,
    sum(x.quantity) as paid_credit,
    sum(x.quantity)%s as guarantee_credit,
    sum(x.quantity)%s as threshold_credit
  from _credit as x
  cross join (
    select @period_last_day@ as upto
    union all
    select @period_first_day@ - 1
    where @period_first_day@ > @month_first_day@
  ) as cut
  where x.books_day between @month_first_day@ and cut.upto
  group by x.no, cut.upto
) as c on c.no = p.no and c.upto = u.upto%s
offset 0$q$, v_sums,
    case when v_not_guarantee is null then '' else format(' filter (where x.term_no not in (%s))', v_not_guarantee) end,
    case when v_not_threshold is null then '' else format(' filter (where x.term_no not in (%s))', v_not_threshold) end,
    v_sum_joins);
  v_sql := rules.measure_layers(p_terms, 'month', v_sql);

  select string_agg('t' || t.term_no, ', ') into v_candidates
  from unnest(p_terms) as t
  where t.level = 'month' and t.kind = 'credit' and t.combine = 'greatest';
  select string_agg('t' || t.term_no, ', ') into v_guarantee
  from unnest(p_terms) as t
  where t.level = 'month' and t.is_guarantee;
  v_sql := format(E'select m.*, month_paid_credit as base_credit%s\nfrom (%s) as m\noffset 0', rules.term_columns(p_terms, 'month'), v_sql);
  -- Of equal candidates one is paid: the lower priority number, then the code.
  v_sql := format(E'select m.*, %s\nfrom (%s) as m\noffset 0',
    case when v_candidates is null then '0::numeric as month_excess, null::smallint as month_winner'
      else format('greatest(0, greatest(%1$s) - base_credit) as month_excess, (case when greatest(%1$s) > base_credit then case %2$s end end)::smallint as month_winner',
        v_candidates, (select string_agg(format('when t%1$s = greatest(%2$s) then %1$s', t.term_no, v_candidates), ' ' order by t.priority, t.term_code, t.term_no)
          from unnest(p_terms) as t
          where t.level = 'month' and t.kind = 'credit' and t.combine = 'greatest')) end,
    v_sql);
  -- A greatest-of of the month counts toward the guarantee; of several guarantees only the greatest shortfall is paid.
  -- guaranteed_minutes is what the contract guarantees, guarantee_minutes what it guarantees where its condition holds.
  -- month_…_more: what the month's own credit adds to the totals that guarantee and overtime read.
  return format(E'select m.*, %s as month_guarantee_more, %s as month_threshold_more,\n  greatest(%s, null::numeric) as guarantee_minutes, greatest(%s, null::numeric) as guaranteed_minutes\nfrom (%s) as m',
    rules.month_more_sql(p_terms, true), rules.month_more_sql(p_terms, false),
    coalesce(v_guarantee, 'null::numeric'),
    coalesce((select string_agg(format('(%s)', (t.quantity).sql), ', ') from unnest(p_terms) as t where t.level = 'month' and t.is_guarantee), 'null::numeric'),
    v_sql);
end
$$;
comment on function rules.plan_months(rules.compiled_term[], jsonb, jsonb) is
'SELECT of the stage _months: per crew member the month to date at the end of the period, and before it.';
