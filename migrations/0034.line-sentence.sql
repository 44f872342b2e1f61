-- A line of a claim in words says whether payroll has paid: the function took another argument and another name.

drop function if exists review.amount_sentence(pay.component, text, numeric, numeric, numeric, numeric, text[]);
