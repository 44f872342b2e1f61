-- Contract months: the spans in which guarantee and overtime are counted. Without a row a contract month is a calendar month, its
-- quarter and year are those of the calendar. A row says otherwise: bid months, months of four weeks.

create or replace function crew.contract_month(
  p_enterprise uuid, p_day date, out month date, out last_day date, out quarter date, out year date)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  select m.month, m.last_day, m.quarter, m.year
  into contract_month.month, contract_month.last_day, contract_month.quarter, contract_month.year
  from crew.contract_months as m
  where m.enterprise_id = p_enterprise and m.month <= p_day and m.last_day >= p_day;
  if not found then
    contract_month.month := date_trunc('month', p_day)::date;
    contract_month.last_day := (date_trunc('month', p_day) + interval '1 month')::date - 1;
    contract_month.quarter := date_trunc('quarter', p_day)::date;
    contract_month.year := date_trunc('year', p_day)::date;
  end if;
end
$$;
revoke all on function crew.contract_month(uuid, date) from public;
grant execute on function crew.contract_month(uuid, date) to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew, crewpay_owner;
comment on function crew.contract_month(uuid, date) is
'The contract month that holds a day: its first and last day, and the first days of its quarter and year.
p_enterprise: tenant; p_day: any day of it.';

-- The middle of a month tells what people call it: the bid month from 31 January to 1 March is February.
create or replace function crew.named_month(p_enterprise uuid, p_month date)
returns date
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select m.month
  from crew.contract_month(p_enterprise, date_trunc('month', p_month)::date + 14) as m
$$;
revoke all on function crew.named_month(uuid, date) from public;
grant execute on function crew.named_month(uuid, date) to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew, crewpay_owner;
comment on function crew.named_month(uuid, date) is
'First day of the contract month that people call by a calendar month: the one that holds its 15th.
p_enterprise: tenant; p_month: any day of the calendar month.';

create or replace function crew.contract_months_between(p_enterprise uuid, p_from date, p_to date)
returns table (month date, last_day date, quarter date, year date)
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select m.month, m.last_day, m.quarter, m.year
  from crew.contract_months as m
  where m.enterprise_id = p_enterprise and m.month <= p_to and m.last_day >= p_from
  union all
  select c.month::date, (c.month + interval '1 month')::date - 1, date_trunc('quarter', c.month)::date, date_trunc('year', c.month)::date
  from generate_series(date_trunc('month', p_from::timestamp), p_to::timestamp, interval '1 month') as c (month)
  where not exists (
    select
    from crew.contract_months as m
    where m.enterprise_id = p_enterprise and m.month < (c.month + interval '1 month')::date and m.last_day >= c.month::date)
$$;
revoke all on function crew.contract_months_between(uuid, date, date) from public;
comment on function crew.contract_months_between(uuid, date, date) is
'Contract months that overlap a span of days.
p_enterprise: tenant; p_from, p_to: first and last day.';

-- Quarter and year of a new month, unless given: those of the month before, as long as both have their middle in one of the calendar.
create or replace function crew.tg_contract_month()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before record;
  v_middle date := new.month + (new.last_day - new.month) / 2;
  v_middle_before date;
  v_period record;
begin
  if tg_op in ('UPDATE', 'DELETE') then
    select p.start_date, p.end_date into v_period
    from pay.pay_periods as p
    where p.enterprise_id = old.enterprise_id and p.contract_month = old.month
    limit 1;
    if found then
      raise exception using
        errcode = 'CP112',
        message = format('the contract month from %s has pay periods', old.month),
        detail = format('%s to %s', v_period.start_date, v_period.end_date),
        hint = 'Delete its periods first, while they are open.';
    elsif tg_op = 'DELETE' then
      return old;
    end if;
  end if;

  select p.start_date, p.end_date into v_period
  from pay.pay_periods as p
  where p.enterprise_id = new.enterprise_id and p.start_date <= new.last_day and p.end_date >= new.month
  limit 1;
  if found then
    raise exception using
      errcode = 'CP112',
      message = format('a pay period of another contract month lies in %s to %s', new.month, new.last_day),
      detail = format('%s to %s', v_period.start_date, v_period.end_date),
      hint = 'Contract months are made before their periods.';
  end if;

  select m.* into v_before from crew.contract_month(new.enterprise_id, new.month - 1) as m;
  v_middle_before := v_before.month + (v_before.last_day - v_before.month) / 2;
  new.quarter := coalesce(new.quarter,
    case when date_trunc('quarter', v_middle_before) = date_trunc('quarter', v_middle) then v_before.quarter else new.month end);
  new.year := coalesce(new.year,
    case when date_trunc('year', v_middle_before) = date_trunc('year', v_middle) then v_before.year else new.month end);
  return new;
end
$$;
revoke all on function crew.tg_contract_month() from public;
comment on function crew.tg_contract_month() is
'Row trigger before INSERT, UPDATE and DELETE on contract_months: gives a month its quarter and year, and keeps those that have pay periods.
Raises CP112.';

create or replace trigger contract_months_10_spans before insert or update on crew.contract_months
  for each row execute function crew.tg_contract_month();
comment on trigger contract_months_10_spans on crew.contract_months is 'Quarter and year follow the month before; months with periods stay.';
create or replace trigger contract_months_10_kept before delete on crew.contract_months
  for each row execute function crew.tg_contract_month();
comment on trigger contract_months_10_kept on crew.contract_months is 'Months with periods stay.';

-- What a crew member holds is held for a contract month: its first day is the key.
create or replace function crew.tg_crew_month()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.month <> (select m.month from crew.contract_month(new.enterprise_id, new.month) as m) then
    raise exception using
      errcode = 'CP112',
      message = format('no contract month begins on %s', new.month),
      hint = 'Give the first day of the contract month.';
  end if;
  return new;
end
$$;
revoke all on function crew.tg_crew_month() from public;
comment on function crew.tg_crew_month() is
'Row trigger before INSERT and UPDATE on crew_months: a row begins with a contract month. Raises CP112.';

create or replace trigger crew_months_10_month before insert or update of month on crew.crew_months
  for each row when (extract(day from new.month) <> 1) execute function crew.tg_crew_month();
comment on trigger crew_months_10_month on crew.crew_months is 'A row begins with a contract month; the first of a calendar month needs no look-up.';
