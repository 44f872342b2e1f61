-- name: load
select rules.load_contract(p_contract => %s);
