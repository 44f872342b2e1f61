-- The findings of a plan: what matched and could not be paid.

-- Matching terms that could not pay, because a fact they read is missing.
create or replace function rules.plan_findings(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(E'\nunion all\n',
    'select l.no, case when l.quantity is null'
      -- Such a price is no hourly rate: what it reads is missing.
      || coalesce((select ' or l.term_no in (' || string_agg(t.term_no::text, ', ' order by t.term_no) || ')' from unnest(p_terms) as t where (t.price).nullable), '')
      || ' then ''CP111'' else ''CP110'' end as code, l.term_no, l.node from _lines as l where l.cents is null',
    -- Credit and measures of nodes that the period pays; what a missing measure would have decided is not known.
    (select string_agg(format('select x.no, ''CP111'', %s::smallint, %s from %s as x where %s(%s) and (%s) is null%s',
        t.term_no, l.node, l.stage, case when t.kind <> 'measure' then format('x.t%s is null and ', t.term_no) else '' end,
        coalesce((t.gate).sql, 'true'), (t.quantity).sql,
        format(' and x.%s between @period_first_day@ and @period_last_day@',
          case when t.level in ('duty', 'trip') and rules.books_of(t, p_settings) = 'end' then 'end_day' else l.paid_day end)),
        E'\nunion all\n' order by t.term_no)
      from unnest(p_terms) as t
      join (values
        ('leg', '_legs', 'leg_no', 'books_day'), ('duty', '_duties', 'report::bigint', 'day'), ('day', '_days', 'day::bigint', 'day'),
        ('trip', '_trips', 'trip_no', 'day'),
        ('period', '(select m.*, m.upto as day from _periods as m where m.at_end)', '0::bigint', 'day'),
        ('month', '(select m.*, m.upto as day from _months as m where m.at_end)', '0::bigint', 'day'),
        ('quarter', '(select m.*, m.upto as day from _quarters as m where m.at_end)', '0::bigint', 'day'),
        ('year', '(select m.*, m.upto as day from _years as m where m.at_end)', '0::bigint', 'day'))
        as l (level, stage, node, paid_day) on l.level = t.level
      where t.kind in ('credit', 'measure', 'advance') and (t.quantity).nullable),
    (select string_agg(format('select m.no, ''CP111'', %1$s::smallint, 0::bigint from _%2$ss as m where m.at_end and m.t%1$s is null',
        t.term_no, t.level), E'\nunion all\n' order by t.term_no)
      from unnest(p_terms) as t
      where t.kind = 'pay' and t.level = any (rules.span_levels()) and (t.quantity).nullable))
$$;
comment on function rules.plan_findings(rules.compiled_term[], jsonb) is
'SELECT of the stage _findings: code, term and node of every amount that a missing rate (CP110) or fact (CP111) kept from being paid.';
