SELECT stress_high AS "High stress", recovery_high AS "High recovery", day_summary AS "Day"
FROM daily_stress
WHERE $__dayFilter(day)
ORDER BY day DESC
LIMIT
  1
