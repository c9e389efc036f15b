SELECT *
FROM
  (
    SELECT
      time,
      (avg(recovery_high) OVER week - avg(stress_high) OVER week) / 3600.0 AS "Balance"
    FROM days
    WHERE
      stress_high IS NOT NULL
      AND time BETWEEN $__timeFrom() - 7 * 86400 AND $__timeTo()
    WINDOW week AS (ORDER BY julianday(day) RANGE BETWEEN 6 PRECEDING AND CURRENT ROW)
  )
WHERE $__timeFilter(time)
ORDER BY time
