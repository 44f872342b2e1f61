drop type review.evidence;
drop type review.unmatched;
