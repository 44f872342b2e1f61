-- name: load
select rules.load_contract(p_contract => %s);

-- name: diff
select change, part, code, effective, field, old_value, new_value
from rules.diff_contract(%(contract)s);

-- name: export
select rules.export_contract(%(on)s, %(at)s) as contract;
