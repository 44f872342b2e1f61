-- When a job is due: the five fields of cron(5), as pg_cron reads them, in GMT. Lists, ranges and steps; no names of months or days.

create or replace function ops.schedule_field(p_field text, p_low integer, p_high integer)
returns integer[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_item text;
  v_part text[];
  v_values integer[] := array[]::integer[];
begin
  foreach v_item in array string_to_array(p_field, ',') loop
    v_part := regexp_match(v_item, '^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$');
    if v_part is null
      or coalesce(v_part[1]::integer, p_low) not between p_low and p_high
      or coalesce(v_part[2]::integer, p_high) not between coalesce(v_part[1]::integer, p_low) and p_high
      or v_part[3]::integer = 0 then
      raise exception using
        errcode = 'CP109',
        message = format('%s is no field of a schedule', p_field),
        detail = format('values lie between %s and %s', p_low, p_high),
        hint = 'Write *, 5, 1-5, */10, or several with commas.';
    end if;
    v_values := v_values || array(
      select generate_series(
        coalesce(v_part[1]::integer, p_low),
        case when v_part[1] is null or v_part[2] is null and v_part[3] is not null then p_high else coalesce(v_part[2], v_part[1])::integer end,
        coalesce(v_part[3]::integer, 1)));
  end loop;
  return array(select distinct value from unnest(v_values) as value order by value);
end $$;
revoke all on function ops.schedule_field(text, integer, integer) from public;
grant execute on function ops.schedule_field(text, integer, integer) to crewpay_jobs;
comment on function ops.schedule_field(text, integer, integer) is
  'The values that one field of a schedule stands for, in order.
p_field: e.g. */15; p_low, p_high: smallest and largest value. Errors: CP109.';

create or replace function ops.last_due(p_schedule text, p_at timestamptz)
returns timestamptz
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_field text[] := string_to_array(p_schedule, ' ');
  v_days integer[] := ops.schedule_field(v_field[3], 1, 31);
  v_months integer[] := ops.schedule_field(v_field[4], 1, 12);
  v_weekdays integer[] := array(select mod(d, 7) from unnest(ops.schedule_field(v_field[5], 0, 7)) as d);
  v_now timestamp := p_at at time zone 'UTC';
  v_last interval;
  v_last_today interval;
begin
  select max(t.time_of_day), max(t.time_of_day) filter (where v_now::date + t.time_of_day <= v_now)
  into v_last, v_last_today
  from unnest(ops.schedule_field(v_field[2], 0, 23)) as h (hour)
  cross join unnest(ops.schedule_field(v_field[1], 0, 59)) as m (minute)
  cross join lateral make_interval(hours => h.hour, mins => m.minute) as t (time_of_day);
  return (
    select (d.day + case d.day when v_now::date then v_last_today else v_last end) at time zone 'UTC'
    from (select v_now::date - back from generate_series(0, 366) as back) as d (day)
    where extract(month from d.day) = any (v_months)
      -- A day of the month and a day of the week: with both given, either will do.
      and case
        when v_field[3] like '*%' or v_field[5] like '*%'
          then extract(day from d.day) = any (v_days) and extract(dow from d.day) = any (v_weekdays)
        else extract(day from d.day) = any (v_days) or extract(dow from d.day) = any (v_weekdays) end
      and (d.day < v_now::date or v_last_today is not null)
    order by d.day desc
    limit 1);
end $$;
revoke all on function ops.last_due(text, timestamptz) from public;
grant execute on function ops.last_due(text, timestamptz) to crewpay_jobs, crewpay_admin;
comment on function ops.last_due(text, timestamptz) is
  'The last time at or before p_at at which the schedule is due; null: not within a year.
p_schedule: five fields of cron, GMT; p_at: moment. Errors: CP109.';
