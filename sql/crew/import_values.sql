-- From text to values, without errors: what isn't a value of the type becomes null, and the caller says which column.

create or replace function crew.import_time(p_text text)
returns timestamptz
language plpgsql stable strict
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' then
    return null;
  end if;
  return p_text::timestamptz;
exception when data_exception then
  return null;
end $$;
revoke all on function crew.import_time(text) from public;
grant execute on function crew.import_time(text) to crewpay_definer;
comment on function crew.import_time(text) is
  'A time with its offset from UTC (ISO 8601); null when the text is none.
p_text: e.g. 2026-07-01T06:15:00-04:00 or 2026-07-01 10:15Z.';

create or replace function crew.import_date(p_text text)
returns date
language plpgsql stable strict
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text !~ '^\d{4}-\d\d-\d\d$' then
    return null;
  end if;
  return p_text::date;
exception when data_exception then
  return null;
end $$;
revoke all on function crew.import_date(text) from public;
grant execute on function crew.import_date(text) to crewpay_definer;
comment on function crew.import_date(text) is
  'A date (ISO 8601); null when the text is none.
p_text: e.g. 2026-07-01.';

create or replace function crew.import_number(p_text text, p_decimals integer)
returns numeric
language plpgsql immutable strict
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text !~ '^-?\d{1,8}(\.\d+)?$' or scale(trim_scale(p_text::numeric)) > p_decimals then
    return null;
  end if;
  return p_text::numeric;
end $$;
revoke all on function crew.import_number(text, integer) from public;
grant execute on function crew.import_number(text, integer) to crewpay_definer;
comment on function crew.import_number(text, integer) is
  'A number below 100 million; null when the text is none, or has more decimals than wanted.
p_text: digits, a point for decimals; p_decimals: how many decimals may be significant.';

create or replace function crew.import_airport(p_text text)
returns text
language plpgsql stable strict
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code text := upper(p_text);
begin
  if length(v_code) = 4 then
    return (select a.iata from crew.airports a where a.icao = v_code);
  end if;
  return (select a.iata from crew.airports a where a.iata::text = v_code);
end $$;
revoke all on function crew.import_airport(text) from public;
grant execute on function crew.import_airport(text) to crewpay_definer;
comment on function crew.import_airport(text) is
  'IATA code of an airport given by IATA or ICAO code; null when there is none.
p_text: e.g. LGA or KLGA.';

create or replace function crew.import_is_closed(p_from timestamptz, p_airport text)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from pay.pay_periods p
    join crew.airports a on a.iata = p_airport
    where p.enterprise_id = auth.enterprise_id()
      and p.status <> 'OPEN'
      and (p_from at time zone a.time_zone)::date between p.start_date and p.end_date);
end $$;
revoke all on function crew.import_is_closed(timestamptz, text) from public;
grant execute on function crew.import_is_closed(timestamptz, text) to crewpay_definer;
comment on function crew.import_is_closed(timestamptz, text) is
  'Whether a time lies in a pay period that is not open.
p_from: the time; p_airport: IATA code whose clock tells the day.';

-- What a column takes, for people.
create or replace function crew.import_expected(p_column text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_column = 'position' then format('%s; of an assignment %s', array_to_string(enum_range(null::crew.crew_position)::text[], ', '),
      array_to_string(enum_range(null::crew.assignment_position)::text[], ', '))
    when p_column = 'activity' then array_to_string(enum_range(null::crew.activity)::text[], ', ')
    when p_column = 'status' then array_to_string(enum_range(null::crew.flight_status)::text[], ', ')
    when p_column = 'pickup' then array_to_string(enum_range(null::crew.pickup)::text[], ', ')
    when p_column = 'union_status' then array_to_string(enum_range(null::crew.union_status)::text[], ', ')
    when p_column = 'contract_type' then array_to_string(enum_range(null::crew.contract_type)::text[], ', ')
    when p_column = 'component' then array_to_string(enum_range(null::pay.component)::text[], ', ')
    when p_column ~ '(_date|_on|^month)$' then 'a date, 2026-07-01'
    when p_column ~ '(departure|arrival|_at|_time)$' then 'a time with its offset, 2026-07-01T06:15:00-04:00'
    when p_column ~ '(amount|rate|number|minutes|quantity)$' then 'a number in range, 1234.50'
    else 'a text that fits' end
$$;
revoke all on function crew.import_expected(text) from public;
grant execute on function crew.import_expected(text) to crewpay_definer;
comment on function crew.import_expected(text) is
  'What a column of an import takes, in words.
p_column: its name.';

create or replace function crew.import_bad_values(p_columns text, p_data jsonb)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select 'bad value: ' || string_agg(
    case when bad_column = 'number of fields' then bad_column
      else format('%s %s (expected: %s)', bad_column, coalesce('"' || left(p_data ->> bad_column, 40) || '"', 'is missing'), crew.import_expected(bad_column)) end,
    '; ' order by column_no)
  from unnest(string_to_array(p_columns, ', ')) with ordinality as listed (bad_column, column_no)
$$;
revoke all on function crew.import_bad_values(text, jsonb) from public;
grant execute on function crew.import_bad_values(text, jsonb) to crewpay_definer;
comment on function crew.import_bad_values(text, jsonb) is
  'The reason of a rejected row: each bad column with its value and what is expected.
p_columns: names, comma-separated; p_data: the row.';
