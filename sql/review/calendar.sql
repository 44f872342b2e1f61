-- Business days: neither Saturday nor Sunday nor a holiday that the airline keeps. `crewpay claims calendar` keeps the holidays.

create or replace function review.add_business_days(p_day date, p_days integer)
returns date
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_days = 0 then p_day
    else (
      select d::date
      from generate_series(p_day + 1, p_day + 30 + p_days * 3, interval '1 day') as d
      where extract(isodow from d) < 6
        and not exists (select from review.holidays as h where h.enterprise_id = auth.enterprise_id() and h.day = d::date)
      order by d
      offset p_days - 1
      limit 1)
  end
$$;
revoke all on function review.add_business_days(date, integer) from public;
grant execute on function review.add_business_days(date, integer) to crewpay_definer, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew;
comment on function review.add_business_days(date, integer) is
'The n-th business day after a day, by the calendar of the caller''s enterprise.
p_day: day; p_days: how many, 0 or more.';

create or replace function review.put_holidays(p_country text, p_days date[], p_names text[])
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_added integer;
begin
  perform auth.require_role('admin', 'payroll');
  insert into review.holidays as h (enterprise_id, day, name, country)
  select auth.enterprise_id(), d.day, string_agg(d.name, ', ' order by d.name), p_country
  from unnest(p_days, p_names) as d (day, name)
  group by d.day
  on conflict (enterprise_id, day) do nothing;
  get diagnostics v_added = row_count;
  return v_added;
end
$$;
alter function review.put_holidays(text, date[], text[]) owner to crewpay_definer;
revoke all on function review.put_holidays(text, date[], text[]) from public;
grant execute on function review.put_holidays(text, date[], text[]) to crewpay_admin, crewpay_payroll;
comment on function review.put_holidays(text, date[], text[]) is
'Adds holidays to the airline''s calendar; what is there stays. Returns how many are new.
p_country: ISO 3166 code of the country whose they are; p_days, p_names: the days and what they are called. Raises 42501, 23514 (not a country code).';
