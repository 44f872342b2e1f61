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
