-- Minutes of an interval that lie inside a window of the local day, in closed form: no table of days, exact across a clock change.
-- All arguments are minutes since 1970 UTC or minutes of the day; a zone is (offset, change, offset_after): local = UTC + offset
-- before the change, + offset_after from it on. These functions carry no SET so that they are inlined.

create or replace function rules.window_position(p_local integer, p_from integer, p_to integer)
returns integer
language sql
immutable
parallel safe
return (p_local / 1440) * (p_to - p_from) + least(greatest(mod(p_local, 1440) - p_from, 0), p_to - p_from);
comment on function rules.window_position(integer, integer, integer) is
'Window minutes from 1970 until a local time, for a window that doesn''t wrap (from < to).
p_local: local minutes since 1970; p_from, p_to: minutes of the day, half-open.';

create or replace function rules.window_minutes(
  p_start integer, p_end integer, p_from integer, p_to integer, p_offset integer, p_change integer, p_offset_after integer)
returns integer
language sql
immutable
parallel safe
return case
  -- least() and greatest() ignore nulls; an interval without a start or end has no minutes to count.
  when p_start + p_end is null then null
  when p_from < p_to then
    rules.window_position(least(p_end, p_change) + p_offset, p_from, p_to)
    - rules.window_position(least(p_start, p_change) + p_offset, p_from, p_to)
    + rules.window_position(greatest(p_end, p_change) + p_offset_after, p_from, p_to)
    - rules.window_position(greatest(p_start, p_change) + p_offset_after, p_from, p_to)
  else
    (p_end - p_start)
    - (rules.window_position(least(p_end, p_change) + p_offset, p_to, p_from)
      - rules.window_position(least(p_start, p_change) + p_offset, p_to, p_from)
      + rules.window_position(greatest(p_end, p_change) + p_offset_after, p_to, p_from)
      - rules.window_position(greatest(p_start, p_change) + p_offset_after, p_to, p_from))
end;
comment on function rules.window_minutes(integer, integer, integer, integer, integer, integer, integer) is
'Elapsed minutes of [start, end) inside a daily window; a wrap-around window (22:00-06:00) is the complement of its inverse.
p_start, p_end: minutes since 1970 UTC; p_from, p_to: minutes of the day; p_offset, p_change, p_offset_after: the zone.';

create or replace function rules.date_window_minutes(
  p_start integer, p_end integer, p_day integer, p_from integer, p_to integer, p_offset integer, p_change integer, p_offset_after integer)
returns integer
language sql
immutable
parallel safe
return case
  when p_start + p_end is null then null
  -- Most intervals are nowhere near the date, on whatever clock (no zone is sixteen hours from UTC).
  when p_end <= p_day * 1440 - 960 or p_start >= p_day * 1440 + 2400 then 0
  -- Before the clock change and after it, each on its own offset: exact where the change falls inside the window.
  else
    greatest(0, least(p_end, p_change, p_day * 1440 + p_to - p_offset) - greatest(p_start, p_day * 1440 + p_from - p_offset))
    + greatest(0, least(p_end, p_day * 1440 + p_to - p_offset_after) - greatest(p_start, p_change, p_day * 1440 + p_from - p_offset_after))
end;
comment on function rules.date_window_minutes(integer, integer, integer, integer, integer, integer, integer, integer) is
'Elapsed minutes of [start, end) on one local date, from one minute of that day to another (0 to 1440: the whole date).
p_day: days since 1970; p_from < p_to; other arguments as rules.window_minutes.';
