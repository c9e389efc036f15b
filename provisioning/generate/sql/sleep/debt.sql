SELECT time, debt / 3600.0 AS "Debt", missing / 3600.0 AS "This night"
FROM sleep_debt
WHERE
  $__timeFilter(time)
  AND nights >= 21
ORDER BY time
