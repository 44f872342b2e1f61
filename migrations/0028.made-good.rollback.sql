-- The functions belong to sql/.
select;
