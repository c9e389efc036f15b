SELECT time, mean / nullif(spread, 0) AS "Monotony", week * mean / nullif(spread, 0) AS "Strain"
FROM load
WHERE
  $__timeFilter(time)
  AND days = 7
ORDER BY time
