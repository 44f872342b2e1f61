-- What was paid in advance, from the books: results of the month's earlier periods as they stood at a moment.

create or replace function pay.advances_paid(p_enterprise uuid, p_month date, p_upto date, p_at timestamptz)
returns table (crew_member_id uuid, first_day integer, last_day integer, term_code text, minutes numeric, cents integer)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with periods as (
    select p.id, p.start_date, p.end_date
    from pay.pay_periods as p
    where p.enterprise_id = p_enterprise and p.contract_month = p_month and p.start_date <= p_upto
  ), results as (
    select c.crew_member_id, c.pay_period_id, c.run_id, c.ruleset_id, c.line_term, c.line_quantity, c.line_cents
    from pay.pay_calculations as c
    where c.enterprise_id = p_enterprise and c.pay_period_id in (select p.id from periods as p)
    union all
    -- A result that has been replaced since.
    select v.crew_member_id, v.pay_period_id, v.run_id, v.ruleset_id, v.line_term, v.line_quantity, v.line_cents
    from pay.calculation_versions as v
    where p_at <> 'infinity' and v.enterprise_id = p_enterprise and v.pay_period_id in (select p.id from periods as p)
  ), standing as (
    select distinct on (r.crew_member_id, r.pay_period_id) r.*
    from results as r
    join pay.pay_runs as run on run.enterprise_id = p_enterprise and run.id = r.run_id
    where run.kind = 'REGULAR' and run.state in ('published', 'superseded') and run.finished_at <= p_at
    order by r.crew_member_id, r.pay_period_id, run.finished_at desc
  )
  select s.crew_member_id, p.start_date - date '1970-01-01', p.end_date - date '1970-01-01', u.term_code::text,
    sum(l.quantity), sum(l.cents)::integer
  from standing as s
  join periods as p on p.id = s.pay_period_id
  cross join lateral unnest(s.line_term, s.line_quantity, s.line_cents) as l (term_no, quantity, cents)
  join rules.ruleset_terms as t on t.enterprise_id = p_enterprise and t.ruleset_id = s.ruleset_id and t.term_no = l.term_no and t.kind = 'advance'
  join rules.union_contract_terms as u on u.enterprise_id = p_enterprise and u.id = t.term_id
  where l.quantity > 0
  group by s.crew_member_id, p.start_date, p.end_date, u.term_code
$$;
comment on function pay.advances_paid(uuid, date, date, timestamptz) is
'What crew members were paid in advance in the periods of a contract month: days of the period, clause, credit minutes, cents.
p_enterprise: tenant; p_month: first day of the contract month; p_upto: periods that begin by then; p_at: results as they stood then, infinity for now.';
