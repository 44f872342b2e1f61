-- Texts of notifications. {name} is filled in by notify.post(); names that end in _at are moments, written on the clock of the base.

insert into notify.templates (notification_type, event, title, message)
values
  ('PROACTIVE_FIX', 'pay_corrected', 'Your pay was corrected',
    'We found that {what} was not right in your pay for {period} and corrected it: {amount}. You don''t have to do anything.'),
  ('DISCREPANCY', 'discrepancy_found', 'We are looking into your pay',
    'Your pay for {period} may not be right: {what}, {amount}. We are looking into it and will tell you what we find.'),
  ('PROACTIVE_FIX', 'pay_corrected_often', 'Your pay was corrected',
    'We found {count} things that were not right in your pay for {period} and corrected them: {amount} in all. You don''t have to do anything.'),
  ('DISCREPANCY', 'discrepancies_found', 'We are looking into your pay',
    'Your pay for {period} may not be right in {count} places: {amount} in all. We are looking into it and will tell you what we find.'),
  ('DISCREPANCY', 'discrepancy_resolved', 'Your pay was reviewed',
    'We have looked into {what} in your pay for {period}: {outcome}'),
  ('CLAIM_STATUS', 'claim_submitted', 'Claim {claim} received',
    'Your claim {claim} for {amount} was received on {submitted_at}. You will have an answer by {deadline}.'),
  ('CLAIM_STATUS', 'claim_decided', 'Claim {claim}: {decision}',
    'Your claim {claim} was decided: {decision}, {amount}. {rationale}'),
  ('CLAIM_STATUS', 'claim_paid', 'Claim {claim} is paid',
    'The {amount} of your claim {claim} are part of your pay for {period}.'),
  ('CLAIM_STATUS', 'claim_appealed', 'Appeal of claim {claim} received',
    'Your appeal of claim {claim} was received on {submitted_at}. Somebody who had no part in the decision will look at it.'),
  ('PAY_STATEMENT', 'statement_ready', 'Your pay statement for {period}',
    'Your pay for {period} is {amount}. Every amount is explained in your statement.'),
  ('PAY_STATEMENT', 'back_pay', 'Back pay for {period}',
    'You are owed {amount} more for {period} ({what}). It is part of your pay for {paid_in}. Reason: {reason}'),
  ('DISCREPANCY', 'overpaid', 'You were paid too much for {period}',
    'You were paid {amount} too much for {period} ({what}). Nothing is deducted before a plan is approved, and you will be told of it. Reason: {reason}'),
  ('DISCREPANCY', 'recovery_agreed', '{amount} are taken back',
    'The {amount} that you were paid too much for {period} are taken back: {plan}.'),
  ('DISCREPANCY', 'recovery_dropped', '{amount} are not taken back',
    'The {amount} that you were paid too much for {period} stay paid: {reason}'),
  ('SYSTEM', 'announcement', '{title}', '{message}')
on conflict (notification_type, event) do update
  set title = excluded.title,
      message = excluded.message;
