-- Crew members from a file. Natural key: employee number. A column that the file lacks keeps what is known.

create or replace function crew.import_crew(
  p_batch uuid, out o_inserted integer, out o_updated integer, out o_unchanged integer, out o_rejected integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- staged rows have no statistics: planned as one row, joins would go row by row
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_is_live boolean := pay.is_live(v_enterprise);
  v_rates jsonb;
begin
  with merged as materialized (
    select
      r.row_no,
      r.data as given,
      coalesce(jsonb_strip_nulls(to_jsonb(m)), '{}') || r.data as data,
      r.data ->> 'employee_id' as employee_id,
      m as known,
      row_number() over (partition by r.data ->> 'employee_id' order by r.row_no) as copy_no
    from crew.import_rows r
    left join crew.crew_members m
      on m.enterprise_id = v_enterprise
      and m.employee_id = r.data ->> 'employee_id'
    where r.enterprise_id = v_enterprise
      and r.batch_id = p_batch
  ),
  parsed as materialized (
    select
      m.*,
      m.data ->> 'first_name' as first_name,
      m.data ->> 'last_name' as last_name,
      upper(m.data ->> 'position') as position,
      crew.import_airport(m.data ->> 'base_location') as base_location,
      crew.import_date(m.data ->> 'hire_date') as hire_date,
      crew.import_number(m.data ->> 'seniority_number', 0)::integer as seniority_number,
      crew.import_number(m.data ->> 'base_hourly_rate', 2) as base_hourly_rate,
      coalesce(upper(m.data ->> 'union_status'), 'UNION_MEMBER') as union_status,
      coalesce(upper(m.data ->> 'contract_type'), 'FULL_TIME') as contract_type,
      crew.import_date(m.data ->> 'termination_date') as termination_date
    from merged m
  ),
  judged as materialized (
    select
      p.*,
      concat_ws(', ',
        case when p.data ? '_fields' then 'number of fields' end,
        case when coalesce(length(p.employee_id), 0) not between 1 and 20 then 'employee_id' end,
        case when coalesce(length(p.first_name), 0) not between 1 and 100 then 'first_name' end,
        case when coalesce(length(p.last_name), 0) not between 1 and 100 then 'last_name' end,
        case when coalesce(p.position, '') <> all (enum_range(null::crew.crew_position)::text[]) then 'position' end,
        case when p.data ->> 'base_location' is null then 'base_location' end,
        case when p.hire_date is null then 'hire_date' end,
        case when coalesce(p.seniority_number, 0) <= 0 then 'seniority_number' end,
        case when p.data ->> 'base_hourly_rate' is not null and coalesce(p.base_hourly_rate, -1) < 0
          then 'base_hourly_rate' end,
        case when p.union_status <> all (enum_range(null::crew.union_status)::text[]) then 'union_status' end,
        case when p.contract_type <> all (enum_range(null::crew.contract_type)::text[]) then 'contract_type' end,
        case when p.data ->> 'termination_date' is not null and coalesce(p.termination_date < p.hire_date, true)
          then 'termination_date' end) as bad,
      row(
        p.first_name, p.last_name, p.position, p.base_location, p.hire_date, p.seniority_number, p.union_status, p.contract_type,
        p.termination_date
      ) is not distinct from row(
        (p.known).first_name::text, (p.known).last_name::text, (p.known).position::text, (p.known).base_location::text,
        (p.known).hire_date, (p.known).seniority_number, (p.known).union_status::text,
        (p.known).contract_type::text, (p.known).termination_date) as is_known,
      -- Once the airline pays by them, rates of known crew members wait for a second person.
      v_is_live and (p.known).id is not null as keeps_rate,
      p.base_hourly_rate is distinct from (p.known).base_hourly_rate as has_new_rate
    from parsed p
  ),
  verdict as materialized (
    select
      j.*,
      case
        when j.bad <> '' then 'CP109'
        when j.base_location is null then 'CP101'
        when j.copy_no > 1 then 'CP108'
        when exists (
          select
          from pay.pay_periods t
          cross join (values
            (j.hire_date, (j.known).hire_date),
            (j.termination_date, (j.known).termination_date)) as d (given, known)
          where t.enterprise_id = v_enterprise
            and t.status <> 'OPEN'
            and d.given is distinct from d.known
            and (d.given between t.start_date and t.end_date or d.known between t.start_date and t.end_date)) then 'CP211'
      end as code
    from judged j
  ),
  refused as (
    insert into crew.import_rejects (enterprise_id, batch_id, row_no, code, reason, data)
    select
      v_enterprise, p_batch, v.row_no, v.code,
      case v.code
        when 'CP109' then crew.import_bad_values(v.bad, v.data)
        when 'CP101' then 'unknown airport: ' || (v.data ->> 'base_location')
        when 'CP108' then 'the same employee stands in an earlier row'
        else 'employment begins or ends in a pay period that is not open'
      end,
      v.given
    from verdict v
    where v.code is not null
    returning 1
  ),
  written as (
    insert into crew.crew_members as m (
      enterprise_id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
      base_hourly_rate, union_status, contract_type, termination_date)
    select
      v_enterprise, v.employee_id, v.first_name, v.last_name, v.position::crew.crew_position, v.base_location, v.hire_date,
      v.seniority_number, case when v.keeps_rate then (v.known).base_hourly_rate else v.base_hourly_rate end, v.union_status::crew.union_status, v.contract_type::crew.contract_type,
      v.termination_date
    from verdict v
    where v.code is null
      and (not v.is_known or v.has_new_rate and not v.keeps_rate)
    on conflict (enterprise_id, employee_id) do update
      set first_name = excluded.first_name, last_name = excluded.last_name, position = excluded.position,
        base_location = excluded.base_location, hire_date = excluded.hire_date,
        seniority_number = excluded.seniority_number, base_hourly_rate = excluded.base_hourly_rate,
        union_status = excluded.union_status, contract_type = excluded.contract_type,
        termination_date = excluded.termination_date, updated_at = now()
    returning xmax = 0 as is_new
  )
  select
    (select count(*) from written w where w.is_new),
    (select count(*) from written w where not w.is_new),
    (select count(*) from verdict v where v.code is null and v.is_known and (v.keeps_rate or not v.has_new_rate)),
    (select count(*) from refused),
    (select jsonb_object_agg(v.employee_id, v.base_hourly_rate) from verdict v where v.code is null and v.keeps_rate and v.has_new_rate)
  into o_inserted, o_updated, o_unchanged, o_rejected, v_rates;
  if v_rates is not null then
    perform pay.request_imported_rates(
      v_rates, (select b.file_name from crew.import_batches b where b.enterprise_id = v_enterprise and b.id = p_batch));
  end if;
end $$;
revoke all on function crew.import_crew(uuid) from public;
grant execute on function crew.import_crew(uuid) to crewpay_definer;
comment on function crew.import_crew(uuid) is
  'Checks the staged crew members of an import and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them. Once the airline pays by them, rates of known crew members stay, and are asked
for in one rate change (pay.rate_changes); a row that changes nothing else counts as unchanged.
Rejects: CP101, CP108, CP109, CP211. Errors: CP310 when rates change and the importing login has no person.';
