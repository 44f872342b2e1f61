-- The value added to review.claim_status stays: a type loses none, and 0001 drops it whole.
drop index review.discrepancies_adjustment_id_idx;
drop index review.discrepancies_claim_id_idx;
alter table review.discrepancies drop constraint discrepancies_adjustment_fkey, drop constraint discrepancies_claim_fkey;
alter table review.claims
  drop column component, drop column idempotency_key, drop column answer_due, drop column payment_due, drop column escalated_at,
  drop column reviewed_by_person, drop column first_decision, drop column review_id, drop column paid_amount, drop column penalty_amount,
  drop column withdrawn_at, drop column withdrawal_reason, drop column remedy_of;
drop table review.claim_evidence;
drop table review.claim_lines;
drop table review.claim_reviews;
drop table review.claim_numbers;
drop table review.holidays;
