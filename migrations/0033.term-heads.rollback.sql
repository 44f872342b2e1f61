-- Nothing called it.
select;
