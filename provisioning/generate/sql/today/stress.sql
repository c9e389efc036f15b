SELECT stress_high AS "High stress", recovery_high AS "High recovery", day_summary AS "Day"
FROM daily_stress
WHERE $__dayFilter(day)
-- The name of the table: "Day" is another column.
ORDER BY daily_stress.day DESC
LIMIT
  1
