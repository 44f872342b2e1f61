drop type rules.compiled_term;
drop type rules.sql_expression;
