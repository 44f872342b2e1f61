-- What the peers of tests/bench/peers.py say to PostgreSQL, and DuckDB's part.

-- name: period
select r.enterprise_id, r.pay_period_id, r.id, p.start_date - date '1970-01-01', p.end_date - date '1970-01-01'
from pay.pay_runs as r
join pay.pay_periods as p on p.enterprise_id = r.enterprise_id and p.id = r.pay_period_id
where r.state = 'published'
order by p.start_date desc
limit 1;

-- name: table
drop table if exists public.peer_results;
create table public.peer_results (like pay.pay_calculations including defaults including constraints including indexes);
alter table public.peer_results alter column line_quantity type double precision[] using line_quantity::double precision[];
alter table public.peer_results
  add foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  add foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  add foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  add foreign key (enterprise_id, ruleset_id) references rules.rulesets (enterprise_id, id);

-- name: terms
select distinct t.ruleset_id, u.term_code, t.label, t.term_no
from rules.ruleset_terms as t
join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
where t.enterprise_id = %(enterprise)s
  and t.ruleset_id in (select c.ruleset_id from pay.pay_calculations as c where c.enterprise_id = %(enterprise)s and c.pay_period_id = %(period)s);

-- name: plans
select s.ruleset_id, string_agg(format('%%s as materialized (%%s)', s.name,
    pay.fill_tokens(s.statement, pay.plan_tokens(p.enterprise_id, p, null))), ', ' order by s.step_no)
from pay.pay_periods as p
join rules.plans as s on s.enterprise_id = p.enterprise_id and s.name in ('_zones', '_people')
where p.enterprise_id = %(enterprise)s and p.id = %(period)s
  and s.ruleset_id in (select c.ruleset_id from pay.pay_calculations as c where c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id)
group by s.ruleset_id;

-- name: people_of
insert into public.peer_people
with {plan}
select id, employee_id, (crew_position <> 'FLIGHT_ATTENDANT')::integer, base_offset, base_change, base_offset_after, month_unpaid_days,
  month_days, rate_1, coalesce(rate_2_day, 2147483647), coalesce(rate_2, rate_1)
from _people;

-- name: ready_made
drop table if exists public.peer_people, public.peer_airports;
create table public.peer_people (
  id uuid primary key, employee_id text, pilot smallint, zone_offset integer, zone_change integer, zone_offset_after integer,
  unpaid integer, days integer, rate_1 numeric, rate_2_day integer, rate_2 numeric);
create table public.peer_airports as
select a.iata, o.*
from crew.airports as a
cross join lateral crew.zone_offsets(a.time_zone, (select min(scheduled_departure) from crew.flights), (select max(scheduled_arrival) from crew.flights)) as o
where a.iata in (select origin_airport from crew.flights);
alter table public.peer_airports add primary key (iata);

-- name: people
select p.id, p.pilot = 1, p.zone_offset, p.zone_change, p.zone_offset_after, p.unpaid, p.days, p.rate_1::double precision, p.rate_2_day,
  p.rate_2::double precision
from public.peer_people as p
order by p.employee_id

-- name: trips
select t.id, t.trip_no, t.start_at, t.end_at
from crew.trips as t
join pay.pay_periods as p on p.enterprise_id = t.enterprise_id
where t.enterprise_id = %(enterprise)s and p.id = %(period)s
  and t.start_at < p.end_date + interval '2 days' and t.end_at >= p.start_date - interval '1 day'

-- name: flights
select f.id, coalesce(f.actual_departure, 'epoch'), coalesce(f.actual_arrival, 'epoch'), f.scheduled_departure, f.scheduled_arrival,
  f.status = 'CANCELLED', coalesce(f.delay_minutes, 0), coalesce((f.delay_code in ('MX', 'OPS', 'CREW'))::integer, 0)::smallint, o.zone_offset,
  o.zone_change, o.zone_offset_after
from crew.flights as f
join public.peer_airports as o on o.iata = f.origin_airport
join pay.pay_periods as p on p.enterprise_id = f.enterprise_id
where f.enterprise_id = %(enterprise)s and p.id = %(period)s
  and f.scheduled_departure between p.start_date - interval '8 days' and p.end_date + interval '8 days'

-- name: assignments
select a.leg_no, a.crew_member_id, a.flight_id, a.trip_id, a.position = 'DEADHEAD', a.duty_start_time, a.duty_end_time
from crew.crew_assignments as a
join pay.pay_periods as p on p.enterprise_id = a.enterprise_id
where a.enterprise_id = %(enterprise)s and p.id = %(period)s
  and a.retired_at is null
  and a.duty_start_time between p.start_date - interval '8 days' and p.end_date + interval '8 days'

-- name: differences
select count(*)
from (select * from pay.pay_calculations as c where c.enterprise_id = %(enterprise)s and c.pay_period_id = %(period)s) as c
full join public.peer_results as r on r.crew_member_id = c.crew_member_id
where (c.line_term, c.line_node, c.line_cents, c.ruleset_id, c.flight_pay_amount, c.overtime_amount, c.delay_pay_amount, c.per_diem_amount,
    c.premium_pay_amount, c.guarantee_amount, c.total_gross_pay)
  is distinct from (r.line_term, r.line_node, r.line_cents, r.ruleset_id, r.flight_pay_amount, r.overtime_amount, r.delay_pay_amount,
    r.per_diem_amount, r.premium_pay_amount, r.guarantee_amount, r.total_gross_pay)
  or abs(c.flight_pay_hours - r.flight_pay_hours) > 0.01 or abs(c.overtime_hours - r.overtime_hours) > 0.01
  or abs(c.guarantee_hours - r.guarantee_hours) > 0.01
  or exists (select from unnest(c.line_quantity, r.line_quantity) as q (ours, theirs) where abs(ours::double precision - theirs) > 1e-6)

-- name: duckdb
create macro to_minute(t) as (t / 60000000 + 15778080)::integer;
create macro local(m, o, c, a) as m + case when m >= c then a else o end;
create macro cents(quantity, per_hour) as ((round(quantity * per_hour / 60 * 1e6)::bigint + 5000) / 10000)::integer;
create macro rate(day, r1, d2, r2) as case when day >= d2 then r2 else r1 end;
create macro by_day(m) as (m / 1440) * 960 + least(greatest(m % 1440 - 360, 0), 960);
create table legs as
select *, greatest(actual_credit, scheduled_credit) as credit, local(case when cancelled then sout else out_at end, o, c, a) / 1440 as day,
  case when deadhead = 1 or cancelled then 0 else block end as flown
from (
  select *, case when not cancelled then block * factor end as actual_credit, scheduled * factor as scheduled_credit
  from (
    select p.no, p.pilot, p.offset as o, p.change as c, p.after as a, l.leg, l.deadhead, to_minute(l.report) as report, to_minute(l.release) as release,
      t.trip_no, to_minute(t.start) as start_at, to_minute(t."end") as end_at, f.cancelled = 1 as cancelled, to_minute(f.out) as out_at,
      to_minute(f."in") as in_at, to_minute(f.sout) as sout, to_minute(f.sin) - to_minute(f.sout) as scheduled,
      case when f.cancelled = 1 then 0 else to_minute(f."in") - to_minute(f.out) end as block, f.delay, f.code, f.offset as fo, f.change as fc,
      f.after as fa, case when l.deadhead = 1 then {f_deadhead} else 1.0 end::double as factor
    from legs_in as l
    join people as p on p.crew_hi = l.crew_hi and p.crew_lo = l.crew_lo
    join flights as f on f.flight_hi = l.flight_hi and f.flight_lo = l.flight_lo
    join trips as t on t.trip_hi = l.trip_hi and t.trip_lo = l.trip_lo
  )
);
create table duties as
select *, credit + greatest(excess, 0) as worth
from (
  select *, greatest(rig, minimum) - credit as excess
  from (
    select *, case when length > {f_rig_over} * block then length::double / {f_rig} end as rig, {f_minimum} as minimum, local(report, o, c, a) / 1440 as day
    from (
      select no, report, trip_no, any_value(pilot) as pilot, any_value(o) as o, any_value(c) as c, any_value(a) as a, any_value(start_at) as start_at,
        any_value(end_at) as end_at, sum(credit) as credit, sum(block) as block, max(release) - report as length
      from legs
      group by no, report, trip_no
    )
  )
);
create table trip_rows as
select *, away::double / {f_trip_rig} - worth as excess, local(start_at, o, c, a) / 1440 as day
from (
  select no, trip_no, any_value(pilot) as pilot, any_value(o) as o, any_value(c) as c, any_value(a) as a, any_value(start_at) as start_at,
    any_value(end_at) - any_value(start_at) as away, sum(worth) as worth
  from duties
  group by no, trip_no
);
create table credit as
select no, case when cancelled then {t_cancelled} when actual_credit >= scheduled_credit then {t_actual} else {t_scheduled} end as term, leg as node,
  credit as quantity, day, 1.0::double as multiple
from legs where day between {first} and {last} and credit > 0
union all
select no, case when rig > minimum then {t_rig} else {t_minimum} end, report, excess, day, 1.0
from duties where day between {first} and {last} and excess > 0
union all
select no, {t_trip_rig}, trip_no, excess, day, 1.0
from trip_rows where day between {first} and {last} and excess > 0;
create table months as
select p.*, coalesce(c.credit, 0) as credit, {f_guarantee} * (days - unpaid) / days as guaranteed
from people as p
left join (select no, sum(quantity) as credit from credit group by no) as c using (no);
create table lines as
select *
from (
  select x.no, term, node, quantity, cents(quantity, rate(day, rate_1, rate_2_day, rate_2) * multiple) as cents
  from (
    from credit
    union all
    select no, {t_holiday}, leg, holiday, day, {f_holiday}
    from (select *, {holiday} as holiday from (select *, local(out_at, o, c, a) as start, local(in_at, o, c, a) as stop from legs where flown > 0 and day between {first} and {last}))
    where holiday > 0
    union all
    select no, {t_red_eye}, leg, (stop_there - start_there) - (by_day(stop_there) - by_day(start_there)), day, 0.5
    from (
      select *, {holiday} as holiday, start_there % 1440 as clock
      from (
        select *, local(out_at, o, c, a) as start, local(in_at, o, c, a) as stop, local(out_at, fo, fc, fa) as start_there, local(in_at, fo, fc, fa) as stop_there
        from legs where flown > 0 and pilot = 1 and day between {first} and {last})
    )
    where holiday = 0 and (clock >= 1320 or clock < 360 or clock + scheduled > 1320 or clock + block > 1320)
    union all
    select no, {t_delay}, leg, delay * 0.5, day, 1.0 from legs where pilot = 1 and delay > 30 and code = 1 and day between {first} and {last}
  ) as x
  join people as p on p.no = x.no
  union all
  select no, {t_per_diem}, trip_no, away, cents(away, {f_per_diem}) from trip_rows where day between {first} and {last}
  union all
  select no, {t_overtime}, 0, credit - {f_overtime}, cents(credit - {f_overtime}, rate({last}, rate_1, rate_2_day, rate_2) * 0.5) from months where credit > {f_overtime}
  union all
  select no, {t_guarantee}, 0, guaranteed - credit, cents(guaranteed - credit, rate({last}, rate_1, rate_2_day, rate_2)) from months where credit < 4500 and credit < guaranteed
)
where cents <> 0

-- name: loop
create or replace procedure public.peer_loop(p_enterprise uuid, p_period uuid, p_terms jsonb, p_figures jsonb, p_rulesets jsonb, p_holidays integer[])
language plpgsql
as $$
declare
  v_period pay.pay_periods;
  v_run uuid;
  v_first integer;
  v_last integer;
  v_low timestamptz;
  v_high timestamptz;
  person record;
  leg record;
  last_leg record;
  kind text;
  n jsonb;
  f jsonb;
  terms smallint[];
  nodes bigint[];
  quantities numeric[];
  amounts integer[];
  total numeric;
  rig numeric;
  best numeric;
  duty_credit numeric;
  duty_block integer;
  trip_credit numeric;
  quantity numeric;
  guaranteed numeric;
  holiday integer;
  day integer;
  clock integer;
  begins integer;
  ends integer;
  rate numeric;
begin
  select * into v_period from pay.pay_periods where enterprise_id = p_enterprise and id = p_period;
  select id into v_run from pay.pay_runs where enterprise_id = p_enterprise and pay_period_id = p_period and state = 'published';
  v_first := v_period.start_date - date '1970-01-01';
  v_last := v_period.end_date - date '1970-01-01';
  v_low := v_period.start_date - interval '8 days';
  v_high := v_period.end_date + interval '8 days';
  for person in select * from public.peer_people order by employee_id loop
    kind := case when person.pilot = 1 then 'pilots' else 'cabin' end;
    n := p_terms -> kind;
    f := p_figures -> kind;
    terms := '{}'; nodes := '{}'; quantities := '{}'; amounts := '{}';
    total := 0; duty_credit := 0; duty_block := 0; trip_credit := 0;
    last_leg := null;
    for leg in
      select x.*,
        (x.out_at + case when x.out_at >= person.zone_change then person.zone_offset_after else person.zone_offset end) / 1440 as day,
        lead(x.report) over w as next_report, lead(x.trip_no) over w as next_trip
      from (
        select a.leg_no, a.position = 'DEADHEAD' as deadhead, fl.status = 'CANCELLED' as cancelled, t.trip_no,
          floor(date_part('epoch', a.duty_start_time) / 60)::integer as report, floor(date_part('epoch', a.duty_end_time) / 60)::integer as release,
          floor(date_part('epoch', t.start_at) / 60)::integer as trip_start, floor(date_part('epoch', t.end_at) / 60)::integer as trip_end,
          floor(date_part('epoch', coalesce(fl.actual_departure, fl.scheduled_departure)) / 60)::integer as out_at,
          floor(date_part('epoch', coalesce(fl.actual_arrival, fl.scheduled_departure)) / 60)::integer as in_at,
          (date_part('epoch', fl.scheduled_arrival - fl.scheduled_departure) / 60)::integer as scheduled,
          coalesce(fl.delay_minutes, 0) as delay, coalesce(fl.delay_code in ('MX', 'OPS', 'CREW'), false) as controllable,
          o.zone_offset, o.zone_change, o.zone_offset_after
        from crew.crew_assignments as a
        join crew.flights as fl on fl.enterprise_id = p_enterprise and fl.id = a.flight_id
        join crew.trips as t on t.enterprise_id = p_enterprise and t.id = a.trip_id
        join public.peer_airports as o on o.iata = fl.origin_airport
        where a.enterprise_id = p_enterprise and a.crew_member_id = person.id and a.retired_at is null
          and a.duty_start_time between v_low and v_high
      ) as x
      window w as (order by x.report, x.leg_no)
      order by x.report, x.leg_no
    loop
      rate := case when leg.day >= person.rate_2_day then person.rate_2 else person.rate_1 end;
      best := leg.scheduled;
      quantity := case when leg.cancelled then 0 else leg.in_at - leg.out_at end;
      duty_block := duty_block + quantity;
      quantity := greatest(best, quantity) * case when leg.deadhead then (f ->> 'deadhead')::numeric else 1 end;
      if leg.day between v_first and v_last then
        if quantity > 0 then
          terms := terms || (n ->> case when leg.cancelled then 'cancelled' when leg.in_at - leg.out_at >= leg.scheduled then 'actual' else 'scheduled' end)::smallint;
          nodes := nodes || leg.leg_no;
          quantities := quantities || quantity;
          amounts := amounts || round(round(quantity * rate / 60, 6) * 100)::integer;
          total := total + quantity;
        end if;
        if not leg.cancelled and not leg.deadhead then
          begins := leg.out_at + case when leg.out_at >= person.zone_change then person.zone_offset_after else person.zone_offset end;
          ends := leg.in_at + case when leg.in_at >= person.zone_change then person.zone_offset_after else person.zone_offset end;
          holiday := 0;
          foreach day in array p_holidays loop
            holiday := holiday + greatest(0, least(ends, day * 1440 + 1440) - greatest(begins, day * 1440));
          end loop;
          if holiday > 0 then
            terms := terms || (n ->> 'holiday')::smallint;
            nodes := nodes || leg.leg_no;
            quantities := quantities || holiday::numeric;
            amounts := amounts || round(round(holiday * rate * (f ->> 'holiday')::numeric / 60, 6) * 100)::integer;
          elsif person.pilot = 1 then
            begins := leg.out_at + case when leg.out_at >= leg.zone_change then leg.zone_offset_after else leg.zone_offset end;
            ends := leg.in_at + case when leg.in_at >= leg.zone_change then leg.zone_offset_after else leg.zone_offset end;
            clock := mod(begins, 1440);
            if clock >= 1320 or clock < 360 or clock + leg.scheduled > 1320 or clock + leg.in_at - leg.out_at > 1320 then
              quantity := ends - begins - (ends / 1440 - begins / 1440) * 960 - least(greatest(mod(ends, 1440) - 360, 0), 960)
                + least(greatest(mod(begins, 1440) - 360, 0), 960);
              terms := terms || (n ->> 'red_eye')::smallint;
              nodes := nodes || leg.leg_no;
              quantities := quantities || quantity;
              amounts := amounts || round(round(quantity * rate * 0.5 / 60, 6) * 100)::integer;
            end if;
          end if;
        end if;
        if person.pilot = 1 and leg.delay > 30 and leg.controllable then
          terms := terms || (n ->> 'delay')::smallint;
          nodes := nodes || leg.leg_no;
          quantities := quantities || leg.delay * 0.5;
          amounts := amounts || round(round(leg.delay * 0.5 * rate / 60, 6) * 100)::integer;
        end if;
      end if;
      duty_credit := duty_credit + greatest(leg.scheduled, case when leg.cancelled then 0 else leg.in_at - leg.out_at end)
        * case when leg.deadhead then (f ->> 'deadhead')::numeric else 1 end;
      if leg.next_report is distinct from leg.report then
        rig := case when leg.release - leg.report > (f ->> 'rig_over')::numeric * duty_block then (leg.release - leg.report)::numeric / (f ->> 'rig')::numeric end;
        best := greatest(rig, (f ->> 'minimum')::numeric);
        if best > duty_credit then
          day := (leg.report + case when leg.report >= person.zone_change then person.zone_offset_after else person.zone_offset end) / 1440;
          if day between v_first and v_last then
            quantity := best - duty_credit;
            terms := terms || (n ->> case when rig > (f ->> 'minimum')::numeric then 'rig' else 'minimum' end)::smallint;
            nodes := nodes || leg.report::bigint;
            quantities := quantities || quantity;
            amounts := amounts || round(round(quantity * case when day >= person.rate_2_day then person.rate_2 else person.rate_1 end / 60, 6) * 100)::integer;
            total := total + quantity;
          end if;
          duty_credit := best;
        end if;
        trip_credit := trip_credit + duty_credit;
        duty_credit := 0;
        duty_block := 0;
        if leg.next_trip is distinct from leg.trip_no then
          day := (leg.trip_start + case when leg.trip_start >= person.zone_change then person.zone_offset_after else person.zone_offset end) / 1440;
          if day between v_first and v_last then
            best := (leg.trip_end - leg.trip_start)::numeric / (f ->> 'trip_rig')::numeric;
            if best > trip_credit then
              quantity := best - trip_credit;
              terms := terms || (n ->> 'trip_rig')::smallint;
              nodes := nodes || leg.trip_no;
              quantities := quantities || quantity;
              amounts := amounts || round(round(quantity * case when day >= person.rate_2_day then person.rate_2 else person.rate_1 end / 60, 6) * 100)::integer;
              total := total + quantity;
            end if;
            terms := terms || (n ->> 'per_diem')::smallint;
            nodes := nodes || leg.trip_no;
            quantities := quantities || (leg.trip_end - leg.trip_start)::numeric;
            amounts := amounts || round(round((leg.trip_end - leg.trip_start) * (f ->> 'per_diem')::numeric / 60, 6) * 100)::integer;
          end if;
          trip_credit := 0;
        end if;
      end if;
    end loop;
    rate := case when v_last >= person.rate_2_day then person.rate_2 else person.rate_1 end;
    guaranteed := (f ->> 'guarantee')::numeric * (person.days - person.unpaid) / person.days;
    if total > (f ->> 'overtime')::numeric then
      terms := terms || (n ->> 'overtime')::smallint;
      nodes := nodes || 0::bigint;
      quantities := quantities || total - (f ->> 'overtime')::numeric;
      amounts := amounts || round(round((total - (f ->> 'overtime')::numeric) * rate * 0.5 / 60, 6) * 100)::integer;
    end if;
    if total < 4500 and guaranteed > total then
      terms := terms || (n ->> 'guarantee')::smallint;
      nodes := nodes || 0::bigint;
      quantities := quantities || guaranteed - total;
      amounts := amounts || round(round((guaranteed - total) * rate / 60, 6) * 100)::integer;
    end if;
    insert into public.peer_results (
      enterprise_id, id, crew_member_id, pay_period_id, run_id, ruleset_id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
      delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, total_gross_pay,
      line_term, line_node, line_quantity, line_cents)
    select p_enterprise, gen_random_uuid(), person.id, p_period, v_run, (p_rulesets ->> kind)::uuid,
      round(coalesce(sum(l.quantity) filter (where l.component = 'flight_pay'), 0) / 60, 2), coalesce(sum(l.cents) filter (where l.component = 'flight_pay'), 0) * 0.01,
      round(coalesce(sum(l.quantity) filter (where l.component = 'overtime'), 0) / 60, 2), coalesce(sum(l.cents) filter (where l.component = 'overtime'), 0) * 0.01,
      coalesce(sum(l.cents) filter (where l.component = 'delay'), 0) * 0.01, coalesce(sum(l.cents) filter (where l.component = 'per_diem'), 0) * 0.01,
      coalesce(sum(l.cents) filter (where l.component = 'premium'), 0) * 0.01, round(guaranteed / 60, 2),
      coalesce(sum(l.cents) filter (where l.component = 'guarantee'), 0) * 0.01, coalesce(sum(l.cents), 0) * 0.01,
      coalesce(array_agg(l.term order by l.term, l.node), '{}'), coalesce(array_agg(l.node order by l.term, l.node), '{}'),
      coalesce(array_agg(l.quantity::double precision order by l.term, l.node), '{}'), coalesce(array_agg(l.cents order by l.term, l.node), '{}')
    from (
      select u.*, c.component
      from unnest(terms, nodes, quantities, amounts) as u (term, node, quantity, cents)
      join (
        select (n ->> name)::smallint as term, case when name in ('holiday', 'red_eye') then 'premium'
          when name in ('overtime', 'per_diem', 'delay', 'guarantee') then name else 'flight_pay' end as component
        from jsonb_object_keys(n) as name) as c on c.term = u.term
      where u.cents <> 0) as l;
  end loop;
end
$$
