-- Which results are new is asked of runs, not of all results.

drop function if exists review.runs_of_results(pay.pay_periods);
