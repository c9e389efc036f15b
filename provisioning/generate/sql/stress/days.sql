SELECT stress_summary AS "Day", count(*) AS "Days"
FROM days
WHERE
  $__dayFilter(day)
  AND stress_summary IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC
