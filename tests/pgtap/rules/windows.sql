-- Minutes inside a window of the local day, in closed form. Minutes since 1970; New York 2013: −5 h, from 10 March 07:00Z −4 h.
begin;
select plan(12);

create function pg_temp.at(p_time timestamptz) returns integer language sql as $$ select (extract(epoch from p_time) / 60)::integer $$;
create function pg_temp.night(p_start timestamptz, p_end timestamptz, p_from integer default 1320, p_to integer default 360)
returns integer language sql as $$
  select rules.window_minutes(pg_temp.at(p_start), pg_temp.at(p_end), p_from, p_to, z.zone_offset, z.zone_change, z.zone_offset_after)
  from crew.zone_offsets('America/New_York', p_start - interval '5 days', p_end + interval '5 days') as z
$$;
create function pg_temp.on_date(p_start timestamptz, p_end timestamptz, p_day date, p_from integer default 0, p_to integer default 1440)
returns integer language sql as $$
  select rules.date_window_minutes(pg_temp.at(p_start), pg_temp.at(p_end), p_day - date '1970-01-01', p_from, p_to,
    z.zone_offset, z.zone_change, z.zone_offset_after)
  from crew.zone_offsets('America/New_York', p_start - interval '5 days', p_end + interval '5 days') as z
$$;

select is(pg_temp.night('2013-01-11 02:00Z', '2013-01-11 12:00Z'), 480, '21:00 to 07:00 holds all of 22:00 to 06:00');
select is(pg_temp.night('2013-01-10 22:00Z', '2013-01-11 03:00Z'), 0, 'until 22:00 is outside: the window is half-open');
select is(pg_temp.night('2013-01-10 22:00Z', '2013-01-11 03:01Z'), 1, 'a minute later is one minute inside');
select is(pg_temp.night('2013-01-11 03:00Z', '2013-01-13 03:00Z'), 960, 'two nights count twice');
select is(pg_temp.night('2013-03-10 02:00Z', '2013-03-10 12:00Z'), 420, 'the night that loses an hour has seven');
select is(pg_temp.night('2013-11-03 01:00Z', '2013-11-03 12:00Z'), 540, 'the night that gains one has nine');
select is(pg_temp.night('2013-03-10 05:00Z', '2013-03-10 12:00Z', 120, 180), 0, 'an hour that doesn''t exist has no minutes');
select is(pg_temp.night('2013-11-03 04:00Z', '2013-11-03 12:00Z', 60, 120), 120, 'an hour that comes twice counts twice');
select is(pg_temp.on_date('2013-03-09 12:00Z', '2013-03-12 12:00Z', '2013-03-10'), 1380, 'a date of 23 hours');
select is(pg_temp.on_date('2013-11-02 12:00Z', '2013-11-05 12:00Z', '2013-11-03'), 1500, 'a date of 25 hours');
select is(pg_temp.on_date('2013-11-03 03:00Z', '2013-11-03 05:00Z', '2013-11-03'), 60, 'only what lies on the date');
select is(rules.window_minutes(1, null, 0, 60, 0, 2000000, 0), null, 'no end, no minutes: it is not known');

select * from finish();
rollback;
