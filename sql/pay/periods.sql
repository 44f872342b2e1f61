-- Making pay periods: months, half months, bid months, months of four weeks.

create or replace function pay.add_periods(p_starts date[], p_halves boolean default false, p_pay_after integer default 10)
returns setof pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_bad record;
begin
  perform auth.require_role('admin');
  if coalesce(cardinality(p_starts), 0) < 2
    or exists (
      select from unnest(p_starts) with ordinality as s (day, no) join unnest(p_starts) with ordinality as n (day, no) on n.no = s.no + 1 where n.day <= s.day) then
    raise exception using
      errcode = '22023',
      message = 'first days of contract months are wanted, in order, and the day after the last month',
      hint = 'For January and February 2026: {2026-01-01,2026-02-01,2026-03-01}.';
  end if;

  -- What the calendar says needs no row.
  begin
    insert into crew.contract_months (enterprise_id, month, last_day)
    select v_enterprise, months.first_day, months.next_day - 1
    from (
      select s.day as first_day, lead(s.day) over (order by s.day) as next_day
      from unnest(p_starts) as s (day)
    ) as months
    cross join lateral crew.contract_month(v_enterprise, months.first_day) as known
    where months.next_day is not null
      and (known.month, known.last_day) <> (months.first_day, months.next_day - 1)
    order by months.first_day;
  exception when exclusion_violation then
    raise exception using
      errcode = 'CP112',
      message = format('a contract month between %s and %s would overlap another', p_starts[1], p_starts[cardinality(p_starts)]),
      hint = 'List them: select month, last_day from crew.contract_months.';
  end;

  select wanted.first_day, wanted.last_day, p.start_date, p.end_date into v_bad
  from pay.wanted_periods(p_starts, p_halves) as wanted
  join pay.pay_periods as p on p.enterprise_id = v_enterprise and p.start_date <= wanted.last_day and p.end_date >= wanted.first_day
  where (p.start_date, p.end_date) <> (wanted.first_day, wanted.last_day)
  limit 1;
  if found then
    raise exception using
      errcode = 'CP112',
      message = format('the period %s to %s would overlap another', v_bad.first_day, v_bad.last_day),
      detail = format('%s to %s', v_bad.start_date, v_bad.end_date),
      hint = 'Add periods that begin after it.';
  end if;
  return query
    insert into pay.pay_periods (enterprise_id, start_date, end_date, pay_date)
    select v_enterprise, wanted.first_day, wanted.last_day, wanted.last_day + p_pay_after
    from pay.wanted_periods(p_starts, p_halves) as wanted
    where not exists (
      select from pay.pay_periods as p where p.enterprise_id = v_enterprise and p.start_date = wanted.first_day)
    order by wanted.first_day
    returning *;
end
$$;
alter function pay.add_periods(date[], boolean, integer) owner to crewpay_definer;
revoke all on function pay.add_periods(date[], boolean, integer) from public;
grant execute on function pay.add_periods(date[], boolean, integer) to crewpay_admin;
comment on function pay.add_periods(date[], boolean, integer) is
'Makes pay periods of the caller''s enterprise, with contract months where they aren''t those of the calendar; returns the new ones. What is
there already stays. For administrators.
p_starts: first days of contract months in order, and the day after the last; p_halves: two periods a month, the first of 15 days;
p_pay_after: days from a period''s end to its pay date.
Raises 42501, 22023 (no list of days), CP112 (overlaps another period or contract month).';

create or replace function pay.wanted_periods(p_starts date[], p_halves boolean)
returns table (first_day date, last_day date)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case halves.no when 1 then months.first_day else months.first_day + 15 end,
    case when p_halves and halves.no = 1 then months.first_day + 14 else months.next_day - 1 end
  from (
    select s.day as first_day, lead(s.day) over (order by s.day) as next_day
    from unnest(p_starts) as s (day)
  ) as months
  cross join generate_series(1, case when p_halves then 2 else 1 end) as halves (no)
  where months.next_day is not null
$$;
comment on function pay.wanted_periods(date[], boolean) is
'The periods of contract months.
p_starts, p_halves: as pay.add_periods().';

-- Contracts of quarters and years, and rolling measures, read facts of earlier months: a fact is part of more than its month's pay.
create or replace function pay.looks_back_to(p_period pay.pay_periods, p_day date)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p_day < p_period.contract_month and exists (
    select
    from pay.pay_calculations as c
    join rules.rulesets as r on r.enterprise_id = c.enterprise_id and r.id = c.ruleset_id
    cross join lateral (select r.settings -> 'reach' as reach) as looks
    cross join lateral crew.contract_month(p_period.enterprise_id, p_period.contract_month) as m
    where c.enterprise_id = p_period.enterprise_id
      and c.pay_period_id = p_period.id
      and rules.looks_back(r.settings)
      and p_day >= least(
        case looks.reach ->> 'span' when 'year' then m.year when 'quarter' then m.quarter end,
        (m.month - 31 - make_interval(months => (looks.reach ->> 'months')::integer))::date,
        m.month - 31 - (looks.reach ->> 'days')::integer))
$$;
comment on function pay.looks_back_to(pay.pay_periods, date) is
'Whether a result of a period rests on facts of a day before its contract month, by the contract it was computed under.
p_period: the period; p_day: day of a fact.';
