-- Makes a real month hard: what seldom happens by itself happens often. Before the month is computed; the same for the same month.
-- The settings hard.enterprise and hard.month (its first day) say whose and which.

create temporary table hard on commit drop as
select current_setting('hard.enterprise')::uuid as enterprise, current_setting('hard.month')::date as first;

select setseed(0.42);

create temporary table chosen_flights on commit drop as
select f.id, random() as r, random() as r2
from (
  select f.id
  from crew.flights as f
  join hard on f.enterprise_id = hard.enterprise
  order by f.flight_number, f.scheduled_departure
) as f;

create temporary table chosen_crew on commit drop as
select c.id, row_number() over (order by c.r) as n
from (
  select m.id, random() as r
  from crew.crew_members as m
  join hard on m.enterprise_id = hard.enterprise
  order by m.employee_id
) as c;

-- Delays of all causes, many at the limit of 30 minutes.
update crew.flights as f
set delay_code = (array['MX', 'OPS', 'CREW', 'WX', 'ATC'])[1 + floor(c.r2 * 5)::integer],
  delay_minutes = case when c.r2 < 0.1 then 30 when c.r2 < 0.2 then 31 else f.delay_minutes end
from chosen_flights as c, hard
where f.enterprise_id = hard.enterprise and f.id = c.id and c.r < 0.3;

-- Early departures: block longer than planned, some over midnight or into the night.
update crew.flights as f
set actual_departure = f.actual_departure - interval '1 minute' * floor(c.r2 * 45)
from chosen_flights as c, hard
where f.enterprise_id = hard.enterprise and f.id = c.id and c.r between 0.3 and 0.4 and f.actual_departure is not null;

-- Anniversaries within the month, before every step of the rates; check airmen.
update crew.crew_members as m
set hire_date = (hard.first + (c.n % 28)::integer - make_interval(years => (array[1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15])[1 + c.n % 12]))::date
from chosen_crew as c, hard
where m.enterprise_id = hard.enterprise and m.id = c.id and c.n between 1 and 60;

update crew.crew_members as m
set position = case when c.n % 2 = 0 then 'CHECK_AIRMAN' else 'LINE_CHECK_AIRMAN' end::crew.crew_position
from chosen_crew as c, hard
where m.enterprise_id = hard.enterprise and m.id = c.id and c.n between 50 and 80 and m.position = 'CAPTAIN';

-- Who leaves or joins within the month flies nothing outside.
create temporary table leavers on commit drop as
select c.id, hard.first + (c.n % 20)::integer as day
from chosen_crew as c, hard
where c.n between 81 and 110;

create temporary table joiners on commit drop as
select c.id, hard.first + (c.n % 20)::integer as day
from chosen_crew as c, hard
where c.n between 111 and 140;

update crew.crew_members as m
set termination_date = l.day
from leavers as l, hard
where m.enterprise_id = hard.enterprise and m.id = l.id and l.day >= m.hire_date;

delete from crew.crew_assignments as a
using hard, (select id, day - 3 as until, null::date as since from leavers union all select id, null, day + 3 from joiners) as x
where a.enterprise_id = hard.enterprise and a.crew_member_id = x.id
  and (a.duty_start_time::date >= x.until or a.duty_start_time::date <= x.since);

delete from crew.trips as t
using hard
where t.enterprise_id = hard.enterprise
  and not exists (select from crew.crew_assignments as a where a.enterprise_id = t.enterprise_id and a.trip_id = t.id);

update crew.crew_members as m
set hire_date = j.day
from joiners as j, hard
where m.enterprise_id = hard.enterprise and m.id = j.id;

-- Unpaid days.
insert into crew.crew_months (enterprise_id, crew_member_id, month, unpaid_days)
select hard.enterprise, c.id, hard.first, c.n % 9
from chosen_crew as c, hard
where c.n between 100 and 160
on conflict (enterprise_id, crew_member_id, month) do update
  set unpaid_days = excluded.unpaid_days;

-- Duties without a leg: of those who joined so late that they have no other.
insert into crew.crew_assignments (enterprise_id, crew_member_id, position, activity, duty_start_time, duty_end_time)
select hard.enterprise, j.id, (array['RESERVE', 'STANDBY', 'OPERATING'])[1 + k % 3]::crew.assignment_position,
  (array['RESERVE', 'STANDBY', 'TRAINING', 'VACATION', 'SICK'])[1 + k % 5]::crew.activity,
  at.report, at.report + make_interval(mins => (60 + 97 * k * (1 + (j.day - hard.first))) % 1380)
from joiners as j, hard, generate_series(2, 18) as k
cross join lateral (select (hard.first - 2 + k)::timestamp at time zone 'UTC' + interval '13 hours') as at (report)
where j.day > hard.first + 16;
