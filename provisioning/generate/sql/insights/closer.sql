SELECT causes.value AS "Day", outcomes.value AS "Night"
FROM causes
JOIN outcomes ON outcomes.day = date(causes.day, '+1 day')
WHERE cause = '$cause' AND outcome = '$outcome' AND $__dayFilter(outcomes.day)
  AND causes.value IS NOT NULL AND outcomes.value IS NOT NULL
ORDER BY causes.value
