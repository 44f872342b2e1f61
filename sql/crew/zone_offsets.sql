-- The clock of a zone in a span: its offset, and the one change of it, if there is one.

create or replace function crew.zone_offset_at(p_zone text, p_at timestamptz)
returns integer
language sql
stable
parallel safe
return (date_part('epoch', (p_at at time zone p_zone) - (p_at at time zone 'UTC')) / 60)::integer;
comment on function crew.zone_offset_at(text, timestamptz) is
'Local time minus UTC in minutes.
p_zone: IANA zone; p_at: instant.';

create or replace function crew.zone_offsets(
  p_zone text, p_from timestamptz, p_to timestamptz,
  out zone_offset integer, out zone_change integer, out zone_offset_after integer)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_change timestamptz;
  v_changes integer;
  v_low timestamptz;
  v_high timestamptz;
  v_middle timestamptz;
begin
  zone_offset := crew.zone_offset_at(p_zone, p_from);
  zone_offset_after := crew.zone_offset_at(p_zone, p_to);
  zone_change := 2147480000;

  -- A span of a few weeks: looking every fifth day is enough to see each change.
  select count(*), min(day) into v_changes, v_change
  from (
    select day, crew.zone_offset_at(p_zone, day) as day_offset, lag(crew.zone_offset_at(p_zone, day)) over (order by day) as previous_offset
    from (select generate_series(p_from, p_to, interval '5 days') as day union select p_to) as sampled
  ) as days
  where day_offset <> previous_offset;
  if v_changes = 0 then
    return;
  elsif v_changes > 1 then
    raise exception using
      errcode = 'CP205',
      message = format('zone %s changes its clock more than once between %s and %s', p_zone, p_from, p_to),
      hint = 'Pay a shorter span at a time.';
  end if;

  v_low := greatest(p_from, v_change - interval '5 days');
  v_high := v_change;
  while v_high - v_low > interval '1 minute' loop
    v_middle := date_trunc('minute', v_low + (v_high - v_low) / 2);
    if v_middle <= v_low then
      exit;
    end if;
    if crew.zone_offset_at(p_zone, v_middle) = zone_offset then
      v_low := v_middle;
    else
      v_high := v_middle;
    end if;
  end loop;
  zone_change := floor(date_part('epoch', v_high) / 60)::integer;
end
$$;
comment on function crew.zone_offsets(text, timestamptz, timestamptz) is
'Offset of a zone at the start of a span, the minute (since 1970 UTC) at which it changes, and the offset after.
p_zone: IANA zone; p_from, p_to: span of up to some weeks. Raises CP205 where a zone changes twice in it.';

-- A longer span is cut halfway between two changes: there the clock is the same on both sides.
create or replace function crew.zone_segments(p_zone text, p_from timestamptz, p_to timestamptz)
returns table (zone_offset integer, zone_change integer, zone_offset_after integer, holds_from timestamptz, holds_until timestamptz)
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with changes as (
    select s.day, lag(s.day) over (order by s.day) as day_before
    from (
      select sampled.day, crew.zone_offset_at(p_zone, sampled.day) as day_offset,
        lag(crew.zone_offset_at(p_zone, sampled.day)) over (order by sampled.day) as previous_offset
      from (select generate_series(p_from, p_to, interval '5 days') as day union select p_to) as sampled
    ) as s
    where s.day_offset <> s.previous_offset
  ), cuts as (
    select p_from as at
    union all
    select c.day_before + (c.day - c.day_before) / 2 from changes as c where c.day_before is not null
  ), segments as (
    select cuts.at as first_at, lead(cuts.at) over (order by cuts.at) as next_at, row_number() over (order by cuts.at) as segment_no
    from cuts
  )
  select o.zone_offset, o.zone_change, o.zone_offset_after,
    case when s.segment_no = 1 then '-infinity' else s.first_at end, coalesce(s.next_at, 'infinity')
  from segments as s
  cross join lateral crew.zone_offsets(p_zone, s.first_at, coalesce(s.next_at, p_to)) as o
$$;
comment on function crew.zone_segments(text, timestamptz, timestamptz) is
'The clock of a zone over a long span: for each stretch of it the offset, the one change and the offset after, as crew.zone_offsets().
p_zone: IANA zone; p_from, p_to: span. The first and the last stretch are open.';
