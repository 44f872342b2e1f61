-- Recorded pay and payments side by side. All that is equal, or made good elsewhere, ends here.

create or replace function review.match_paid(p_period pay.pay_periods, p_batch uuid, p_crew uuid[], p_tolerance numeric)
returns setof review.unmatched
language sql
stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_nestloop = off
as $$
  with suspects as materialized (
    select u.crew_member_id, u.component, u.by_flight
    from review.unequal(p_period.enterprise_id, p_period.id, p_batch, p_crew, p_tolerance) as u
  ),
  sides as (
    select l.crew_member_id, l.component, l.flight_id, l.amount as owed, l.quantity as minutes,
      null::numeric as paid, null::numeric as paid_minutes, 0 as made_good
    from review.result_lines(p_period.enterprise_id, p_period.id, null, p_crew) as l
    union all
    select a.crew_member_id, a.component, a.flight_id, null, null, a.amount, a.quantity * 60, 0
    from review.actual_lines(p_period.enterprise_id, p_period.id, p_batch, p_crew) as a
    union all
    -- What is made good elsewhere counts as paid: of a flight that of the flight; of the component as a whole it is shared out below.
    select g.crew_member_id, g.component, g.flight_id, null, null, case when kept.whole then 0 else g.amount end, null,
      case when kept.whole then g.amount else 0 end
    from review.made_good(p_period.enterprise_id, p_period.id, p_crew) as g
    join suspects as s on s.crew_member_id = g.crew_member_id and s.component = g.component
    cross join lateral (select g.flight_id is null or not s.by_flight) as kept (whole)
    where p_batch is null
  ),
  amounts as (
    -- What was paid more than once: the copies beyond the first.
    select s.crew_member_id, s.component, case when s.by_flight then x.flight_id end as flight_id, s.by_flight,
      sum(x.owed) as owed, sum(x.minutes) as minutes, count(x.owed) as lines,
      sum(x.paid) as paid, sum(x.paid_minutes) as paid_minutes, count(x.paid) as paid_lines,
      x.paid * (count(*) - 1) as repeated, sum(x.made_good) as made_good
    from sides as x
    join suspects as s on s.crew_member_id = x.crew_member_id and s.component = x.component
    group by s.crew_member_id, s.component, case when s.by_flight then x.flight_id end, s.by_flight, x.paid
  ),
  matched as (
    select a.crew_member_id, a.component, a.flight_id, a.by_flight, coalesce(sum(a.owed), 0) as expected, coalesce(sum(a.paid), 0) as paid,
      sum(a.minutes) as minutes, nullif(sum(a.lines), 0) as lines, sum(a.paid_minutes) as paid_minutes, nullif(sum(a.paid_lines), 0) as paid_lines,
      sum(a.repeated) as repeated, sum(a.made_good) as made_good
    from amounts as a
    group by a.crew_member_id, a.component, a.flight_id, a.by_flight
  ),
  lacking as (
    select m.*, greatest(m.expected - m.paid, 0) as lack,
      coalesce(sum(greatest(m.expected - m.paid, 0)) over earlier, 0) as lack_before,
      sum(greatest(m.expected - m.paid, 0)) over everything as lack_in_all,
      sum(m.made_good) over everything as shared,
      sum(m.paid) filter (where m.paid_lines > 0) over everything as paid_in_all
    from matched as m
    window everything as (partition by m.crew_member_id, m.component),
      earlier as (partition by m.crew_member_id, m.component order by m.flight_id nulls first rows between unbounded preceding and 1 preceding)
  ),
  -- What was made good of the component as a whole goes to whatever lacks something; what is left over is too much.
  settled as (
    select l.*, l.paid + least(l.lack, greatest(l.shared - l.lack_before, 0))
      + case when l.flight_id is null then greatest(l.shared - l.lack_in_all, 0) else 0 end as actual
    from lacking as l
  )
  select k.crew_member_id, k.component, k.flight_id, k.by_flight, k.expected, k.actual, k.minutes, k.lines::bigint, k.paid_minutes, k.paid_lines::bigint,
    k.paid_in_all, k.repeated
  from settled as k
  where abs(k.expected - k.actual) > p_tolerance
$$;
comment on function review.match_paid(pay.pay_periods, uuid, uuid[], numeric) is
'Amounts of which the recorded pay of a period and what was paid, or is made good elsewhere (review.made_good), differ: of each component or, where
flights are named, of each flight.
p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members, null for all;
p_tolerance: amounts that differ by no more are equal.';
