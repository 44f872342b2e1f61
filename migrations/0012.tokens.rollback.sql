do $$
begin
  for slot in 0..31 loop
    execute format('drop sequence auth.refusal_%s', slot);
  end loop;
end $$;
drop sequence auth.refusals;
drop table auth.token_events;
drop table auth.revoked_tokens;
drop table auth.context_keys;
drop table auth.signing_keys;
drop table auth.pools;
