SELECT
  time,
  slept / 3600.0 AS "Asleep, naps included",
  need / 3600.0 AS "Need",
  avg(slept) OVER (ORDER BY julianday(day) RANGE BETWEEN 6 PRECEDING AND CURRENT ROW) / 3600.0 AS "Mean of 7 nights"
FROM sleep_debt
WHERE $__timeFilter(time)
ORDER BY time
