-- The function belongs to sql/.
select;
