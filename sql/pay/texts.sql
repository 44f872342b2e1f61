-- How quantities, money and times are written for people.

create or replace function pay.minutes_text(p_minutes numeric)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- 3:45, and 1:46.67 where the minutes have a fraction: never rounded to something that doesn't add up.
  select case when p_minutes < 0 then '-' else '' end
    || (floor(abs(p_minutes)) / 60)::integer - case when mod(floor(abs(p_minutes)), 60) >= 30 then 1 else 0 end
    || ':' || to_char(mod(abs(p_minutes), 60), case when p_minutes = trunc(p_minutes) then 'FM00' else 'FM00.00' end)
$$;
comment on function pay.minutes_text(numeric) is 'Minutes as h:mm, with two decimals of a minute where it has a fraction.';

-- The settings unit and show of a contract: '0.1 TFP', 'h:mm hour'.
create or replace function pay.shown_unit(p_settings jsonb)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(p_settings ->> 'show', case u.unit when 'hour' then 'h:mm' else '0.01' end) || ' ' || u.unit
  from (select coalesce(p_settings ->> 'unit', 'hour')) as u (unit)
$$;
comment on function pay.shown_unit(jsonb) is 'How a contract writes credit: a form and a unit, hours as h:mm and others with two decimals unless it says otherwise.
p_settings: settings of its ruleset.';

create or replace function pay.quantity_text(p_minutes numeric, p_unit text)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case split_part(p_unit, ' ', 1)
      when 'h:mm' then pay.minutes_text(p_minutes)
      when '0.1' then to_char(p_minutes / 60, 'FM999990.0')
      else to_char(p_minutes / 60, 'FM999990.00') end
    || case split_part(p_unit, ' ', 2) when 'hour' then '' else ' ' || split_part(p_unit, ' ', 2) end
$$;
comment on function pay.quantity_text(numeric, text) is 'Credit minutes as the contract writes credit.
p_minutes: credit minutes; p_unit: from pay.shown_unit().';

create or replace function pay.local_text(p_minutes integer, p_zone text, p_format text)
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select to_char(to_timestamp(p_minutes::bigint * 60) at time zone p_zone, p_format)
$$;
comment on function pay.local_text(integer, text, text) is 'A moment on a local clock.
p_minutes: minutes since 1970 UTC; p_zone: IANA zone; p_format: as to_char().';

-- A constant duration of a formula in minutes; null for an expression.
create or replace function pay.duration_minutes(p_duration jsonb)
returns numeric
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case jsonb_typeof(p_duration)
    when 'number' then (p_duration #>> '{}')::numeric * 60
    when 'string' then split_part(p_duration #>> '{}', ':', 1)::numeric * 60 + split_part(p_duration #>> '{}', ':', 2)::numeric end
$$;
comment on function pay.duration_minutes(jsonb) is 'Minutes of a duration as a formula writes it: hours, or "h:mm"; null for an expression.';

-- The arithmetic of a term's quantity in words: what it read, and what it did with it.
create or replace function pay.quantity_arithmetic(p_expanded jsonb, p_node jsonb, p_value numeric, p_unit text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  with read as (
    select p_expanded ->> 'basis' as basis,
      -- Pay of a span reads the span's totals with the span's own credit.
      coalesce(
        case when p_expanded ->> 'kind' = 'pay' then p_node ->> ((p_expanded ->> 'level') || '_' || regexp_replace(p_expanded ->> 'basis', '_credit$', '_all')) end,
        p_node ->> ((p_expanded ->> 'level') || '_' || (p_expanded ->> 'basis')))::numeric as amount,
      pay.duration_minutes(p_expanded -> 'beyond') as threshold,
      num_nonnulls(p_expanded -> 'factor', p_expanded -> 'ratio', p_expanded -> 'round') = 0 as plain,
      round(coalesce(p_node ->> 'exact_credit', p_node ->> 'month_exact_credit')::numeric, 6) as exact
  )
  select case
    when p_expanded ? 'guarantee' then null
    when p_expanded ? 'rounding' then format('%s rounded to %s', pay.quantity_text(exact, p_unit), pay.quantity_text(exact + p_value, p_unit))
    when p_expanded ? 'window' then format('%s inside %s', pay.minutes_text(p_value), coalesce(
      nullif(concat_ws('–', p_expanded -> 'window' ->> 'from', p_expanded -> 'window' ->> 'to'), ''), 'the listed dates'))
    when p_expanded ? 'ratio' and jsonb_typeof(p_expanded -> 'ratio') = 'number' and r.amount is not null then
      format('%s %s ÷ %s = %s', pay.minutes_text(r.amount), replace(r.basis, '_minutes', ''), p_expanded ->> 'ratio', pay.quantity_text(p_value, p_unit))
    when p_expanded ? 'beyond' and r.plain and r.amount > r.threshold then
      format('%s − %s = %s', pay.minutes_text(r.amount), pay.minutes_text(r.threshold), pay.minutes_text(r.amount - r.threshold))
        || case when r.amount - r.threshold > p_value then format(', no more than %s', pay.minutes_text(p_value)) else '' end
    when p_expanded ? 'beyond' and r.plain and r.threshold is null and not p_expanded ? 'cap' and r.amount is not null then
      format('%s − %s = %s', pay.minutes_text(r.amount), pay.minutes_text(r.amount - p_value), pay.minutes_text(p_value))
    when p_expanded ? 'factor' and jsonb_typeof(p_expanded -> 'factor') = 'number' and not p_expanded ? 'beyond' and r.amount is not null then
      format('%s × %s = %s', pay.minutes_text(r.amount), p_expanded ->> 'factor', pay.quantity_text(p_value, p_unit))
    when p_expanded ?| array['per_unit', 'amount'] then trim_scale(p_value)::text
    else pay.quantity_text(p_value, p_unit)
  end
  from read as r
$$;
comment on function pay.quantity_arithmetic(jsonb, jsonb, numeric, text) is
'How a term arrived at its quantity, in words.
p_expanded: the term as compiled; p_node: the node with what it read; p_value: the quantity; p_unit: from pay.shown_unit().';

create or replace function pay.competes(p_expanded jsonb)
returns boolean
language sql
immutable
parallel safe
return p_expanded ->> 'kind' = 'credit' and coalesce(p_expanded ->> 'combine', 'greatest') = 'greatest';
comment on function pay.competes(jsonb) is
'Whether a formula is a candidate of a greatest-of.
p_expanded: formula without presets.';

-- A line of a span pays what the total to date adds to what was paid before.
create or replace function pay.span_arithmetic(p_expanded jsonb, p_node jsonb, p_term_no smallint, p_quantity numeric, p_unit text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when p_expanded ->> 'kind' = 'advance' and p_quantity < 0 then format('%s was paid in advance', pay.quantity_text(-p_quantity, p_unit))
      when p_expanded ->> 'kind' = 'advance' then pay.quantity_text(p_quantity, p_unit)
      when competes then format('%s over %s = %s', pay.quantity_arithmetic(p_expanded, p_node, candidate, p_unit),
        pay.quantity_text(candidate - total, p_unit), pay.quantity_text(total, p_unit))
      else pay.quantity_arithmetic(p_expanded, p_node, total, p_unit) end
    || case when total = p_quantity or p_expanded ->> 'kind' = 'advance' then ''
      when p_expanded ?| array['per_unit', 'amount'] then format(', %s before: %s', trim_scale(total - p_quantity), trim_scale(p_quantity))
      else format(', %s before: %s', pay.quantity_text(total - p_quantity, p_unit), pay.quantity_text(p_quantity, p_unit)) end
  from (
    select c.competes, c.candidate,
      case when not c.competes then c.candidate
        when (p_node ->> ((p_expanded ->> 'level') || '_winner'))::smallint = p_term_no then (p_node ->> ((p_expanded ->> 'level') || '_excess'))::numeric
        else 0 end as total
    from (
      select pay.competes(p_expanded) as competes,
        coalesce((p_node ->> ('t' || p_term_no))::numeric, 0) as candidate
    ) as c
  ) as s
$$;
comment on function pay.span_arithmetic(jsonb, jsonb, smallint, numeric, text) is
'How a line of a period, month, quarter or year came about, in words: to date, and what was paid before.
p_expanded: the term as compiled; p_node: the span at the period''s end; p_term_no: its number; p_quantity: the line''s; p_unit: from pay.shown_unit().';

-- The treatment that decides whether a node is paid: the innermost.
create or replace function pay.paid_by(p_node jsonb)
returns integer
language sql
immutable
parallel safe
return coalesce(
  nullif((p_node ->> 'leg_treat_paid_leg')::integer, 0), nullif((p_node ->> 'duty_treat_paid_duty')::integer, 0),
  nullif((p_node ->> 'day_treat_paid_day')::integer, 0), nullif((p_node ->> 'trip_treat_paid_trip')::integer, 0));
comment on function pay.paid_by(jsonb) is 'Number of the term whose treatment decides whether a node is paid, negative where it isn''t; null where none does.
p_node: the node as the plan computed it.';

-- The price of a line in words.
create or replace function pay.price_arithmetic(p_expanded jsonb, p_rate numeric)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(p_expanded -> 'multiplier') = 'number' then format('× $%s × (%s − 1)', to_char(p_rate, 'FM9990.00'), p_expanded ->> 'multiplier')
    when p_expanded ? 'multiplier' then format('× $%s at the multiplier of the clause', to_char(p_rate, 'FM9990.00'))
    when p_expanded ? 'per_hour' and jsonb_typeof(p_expanded -> 'per_hour') = 'number' then format('× $%s/h', to_char((p_expanded ->> 'per_hour')::numeric, 'FM990.00'))
    when p_expanded ? 'per_unit' and jsonb_typeof(p_expanded -> 'per_unit') = 'number' then format('× $%s', to_char((p_expanded ->> 'per_unit')::numeric, 'FM9990.00'))
    when p_expanded ?| array['per_hour', 'per_unit', 'amount'] then 'at the price of the clause'
    else format('× $%s', to_char(p_rate, 'FM9990.00'))
  end
$$;
comment on function pay.price_arithmetic(jsonb, numeric) is
'The price of a line in words.
p_expanded: the term as compiled; p_rate: hourly rate of the day.';

create or replace function pay.stacked_arithmetic(p_expanded jsonb, p_rate numeric, p_before text)
returns text
language sql
immutable
parallel safe
return case when jsonb_typeof(p_expanded -> 'multiplier') = 'number' then format('× $%s × (%s × %s − %2$s)', to_char(p_rate, 'FM9990.00'), p_before, p_expanded ->> 'multiplier')
  else format('× $%s × (%s × multiplier of the clause − %2$s)', to_char(p_rate, 'FM9990.00'), p_before) end;
comment on function pay.stacked_arithmetic(jsonb, numeric, text) is
'The price of a premium in a group that multiplies, in words: what its multiplier adds to those before it.
p_expanded: the term as compiled; p_rate: hourly rate of the day; p_before: the multipliers before it.';
