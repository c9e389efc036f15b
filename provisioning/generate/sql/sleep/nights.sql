SELECT
  nights.day AS "Night",
  strftime('%H:%M', (bedtime + 86400) % 86400, 'unixepoch') AS "To bed",
  strftime('%H:%M', (wake + 86400) % 86400, 'unixepoch') AS "Up",
  nights.total_sleep_duration AS "Asleep",
  nights.deep_sleep_duration AS "Deep",
  nights.rem_sleep_duration AS "REM",
  nights.efficiency AS "Efficiency",
  nights.average_hrv AS "HRV",
  nights.lowest_heart_rate AS "Lowest heart rate",
  nights.temperature_deviation AS "Temperature",
  days.sleep_score AS "Score",
  nights.nap_duration AS "Naps",
  (local_midnight(nights.day) - 43200) * 1000 AS "from",
  (local_midnight(nights.day) + 43200) * 1000 AS "to"
FROM
  nights
  JOIN sleep_times USING (day)
  LEFT JOIN days USING (day)
WHERE $__timeFilter(nights.time)
ORDER BY nights.day DESC
LIMIT
  400
