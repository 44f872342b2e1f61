-- A caller acts in one enterprise; a function that takes the enterprise as argument refuses any other.

create or replace function auth.require_enterprise(p_enterprise uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_enterprise is distinct from auth.enterprise_id() then
    raise exception using
      errcode = '42501',
      message = 'that is not your enterprise',
      hint = 'Use auth.enterprise_id(); app.current_enterprise_id selects among your own enterprises.';
  end if;
end
$$;
comment on function auth.require_enterprise(uuid) is
'Refuses an enterprise other than the caller''s.
p_enterprise: the argument given. Raises 42501.';
