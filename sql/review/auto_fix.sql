-- What detection may put right by itself: small and unimportant, in an open period. Recorded pay is recalculated; what payroll left unpaid is
-- booked as an adjustment to the next open period that it has not paid yet (review.period_to_pay_in), and counts as paid from then on
-- (review.made_good). Money is never taken back without a person, and who was paid nothing at all is for a person.

create or replace function review.auto_fix(p_detection review.detections, p_period pay.pay_periods, p_sure uuid[], p_unpaid uuid[])
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := review.setting('review.auto_fix');
  v_severity review.severity := (v_settings ->> 'severity')::review.severity;
  v_below numeric := (v_settings ->> 'below')::numeric;
  v_recalculate uuid[];
  v_adjust uuid[];
  v_into uuid := review.period_to_pay_in(p_period.enterprise_id, p_period.id);
  v_run pay.pay_runs;
  v_fixed uuid[] := '{}'::uuid[];
begin
  if p_period.status <> 'OPEN' or not (v_settings ->> 'enabled')::boolean then
    return 0;
  end if;
  -- A crew member is put right whole, or not at all: what is too much for one fix is not made smaller by cutting it up.
  with live as (
    select d.crew_member_id, d.id, d.basis,
      c.auto_fixable and d.severity <= v_severity and d.resolution_status = 'OPEN'
        and (d.basis = 'RECORDED' or d.difference_amount > 0 and d.component is not null and v_into is not null) as may,
      d.difference_amount, d.discrepancy_type
    from review.discrepancies as d
    join review.checks as c on c.id = d.check_id
    where d.enterprise_id = p_detection.enterprise_id
      and d.pay_period_id = p_period.id
      and d.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
      and (p_sure is null or d.crew_member_id = any (p_sure) or d.basis = 'RECORDED' and d.crew_member_id = any (p_unpaid))
      and (d.difference_amount <> 0 or d.discrepancy_type = 'STALE_CALCULATION')
  ),
  judged as (
    select l.crew_member_id, l.basis
    from live as l
    group by l.crew_member_id, l.basis
    having bool_and(l.may) and sum(abs(l.difference_amount)) < v_below
  )
  select array_agg(distinct j.crew_member_id) filter (where j.basis = 'RECORDED'),
    array(select l.id from live as l join judged as g on g.crew_member_id = l.crew_member_id and g.basis = l.basis where l.basis = 'PAID')
  into v_recalculate, v_adjust
  from judged as j;

  if v_recalculate is not null then
    begin
      v_run := pay.run(p_detection.enterprise_id, p_period.id, v_recalculate);
      v_fixed := v_fixed || array(
        select d.id from review.discrepancies as d
        where d.enterprise_id = p_detection.enterprise_id and d.pay_period_id = p_period.id and d.crew_member_id = any (v_recalculate)
          and d.basis = 'RECORDED' and d.resolution_status = 'OPEN' and d.check_id in (select c.id from review.checks as c where c.auto_fixable));
    exception when sqlstate 'CP210' then
      -- A run is in progress: it computes them as well, or the next detection does.
      null;
    end;
  end if;
  if v_adjust <> '{}' then
    update review.discrepancies as d
    set adjustment_id = a.id
    from review.discrepancies as x
    cross join lateral pay.adjust(x.enterprise_id, x.crew_member_id, v_into, x.difference_amount, x.explanation, 'AUTO_FIX', x.id, p_period.id, x.component) as a
    where x.enterprise_id = p_detection.enterprise_id and x.id = any (v_adjust)
      -- What would need a second person is none of detection's business.
      and not pay.adjustment_needs_approval(x.enterprise_id, x.crew_member_id, v_into, x.difference_amount)
      and d.enterprise_id = x.enterprise_id and d.id = x.id;
    v_fixed := v_fixed || array(
      select d.id from review.discrepancies as d
      where d.enterprise_id = p_detection.enterprise_id and d.id = any (v_adjust) and d.adjustment_id is not null);
  end if;

  update review.discrepancies as d
  set resolution_status = 'RESOLVED', resolution_date = now(), resolved_by = audit.actor(), detected_by = 'PROACTIVE_AGENT', cured = d.basis = 'RECORDED',
    resolution_notes = concat_ws(E'\n', d.resolution_notes, case
      when d.basis = 'RECORDED' then format('Recalculated by run %s.', v_run.id)
      else format('Booked as adjustment %s.', d.adjustment_id) end)
  where d.enterprise_id = p_detection.enterprise_id and d.id = any (v_fixed);
  return cardinality(v_fixed);
end
$$;
comment on function review.auto_fix(review.detections, pay.pay_periods, uuid[], uuid[]) is
'Puts right what may be put right without a person; returns how many discrepancies that resolved.
p_detection: detection; p_period: its period; p_sure: whose comparison stands, null for everybody; p_unpaid: whose recorded pay was compared, and
not what was paid. Limits: the setting review.auto_fix (default MEDIUM or lower and under 100 a crew member).';

create or replace function review.tell_crew(p_detection review.detections, p_period pay.pay_periods)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with found as materialized (
    -- Each is told once of each, whichever detection finds it.
    select d.id, d.crew_member_id, t.is_fixed, d.difference_amount, e.currency,
      concat_ws(' ', coalesce(replace(d.component::text, '_', ' '), 'everything'),
        'of ' || f.flight_number || ' on ' || to_char(f.scheduled_departure, 'YYYY-MM-DD')) as what,
      count(*) over (partition by d.crew_member_id, t.is_fixed) as in_all
    from review.discrepancies as d
    cross join lateral (select d.resolution_status = 'RESOLVED' and d.detected_by = 'PROACTIVE_AGENT' as is_fixed) as t
    join platform.enterprises as e on e.id = d.enterprise_id
    left join crew.flights as f on f.enterprise_id = d.enterprise_id and f.id = d.flight_id
    where d.enterprise_id = p_detection.enterprise_id
      and d.pay_period_id = p_detection.pay_period_id
      and d.difference_amount <> 0
      and (d.detection_id = p_detection.id or t.is_fixed and d.resolution_date = now())
      and d.resolution_status in ('OPEN', 'RESOLVED')
  ),
  messages as (
    select f.crew_member_id, f.is_fixed, 1 as count, f.what, f.difference_amount as missing, f.currency, 'discrepancy' as about, f.id, f.id::text as key
    from found as f
    where f.in_all <= 3
    union all
    -- Nobody wants forty messages of one kind: more than three are told in one.
    select f.crew_member_id, f.is_fixed, count(*), null, sum(f.difference_amount), f.currency, 'pay_period', p_period.id, p_detection.id::text
    from found as f
    where f.in_all > 3
    group by f.crew_member_id, f.is_fixed, f.currency
  )
  select notify.post(m.crew_member_id,
    case when m.is_fixed then 'PROACTIVE_FIX' else 'DISCREPANCY' end::notify.notification_type,
    case when m.count = 1 and m.is_fixed then 'pay_corrected' when m.count = 1 then 'discrepancy_found'
      when m.is_fixed then 'pay_corrected_often' else 'discrepancies_found' end,
    jsonb_strip_nulls(jsonb_build_object(
      'what', m.what,
      'count', nullif(m.count, 1),
      'period', format('%s to %s', p_period.start_date, p_period.end_date),
      'amount', case when m.missing < 0 then format('%s %s too much', -m.missing, m.currency) else format('%s %s missing', m.missing, m.currency) end)),
    m.about, m.id, m.key)
  from messages as m
$$;
comment on function review.tell_crew(review.detections, pay.pay_periods) is
'Tells crew members what a detection found about their money, or put right: each thing by itself, or more than three of them in one message.
p_detection: detection; p_period: its period.';
