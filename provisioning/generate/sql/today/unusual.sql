WITH last_night AS (
  SELECT max(day) AS day FROM nights WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
), recent AS (
  SELECT nights.*, nights.day = last_night.day AS is_last
  FROM nights, last_night
  WHERE nights.day BETWEEN date(last_night.day, '-60 days') AND last_night.day
), measured AS (
  -- The last column is the resolution: a spread is never smaller.
  SELECT 'HRV, ms' AS name, is_last, average_hrv AS value, '%.0f' AS form, 1.0 AS resolution FROM recent
  UNION ALL SELECT 'Lowest heart rate, bpm', is_last, lowest_heart_rate, '%.0f', 1.0 FROM recent
  UNION ALL SELECT 'Average heart rate, bpm', is_last, average_heart_rate, '%.0f', 0.5 FROM recent
  UNION ALL SELECT 'Breaths per minute', is_last, average_breath, '%.1f', 0.1 FROM recent
  UNION ALL SELECT 'Temperature, °C', is_last, temperature_deviation, '%+.2f', 0.05 FROM recent
  UNION ALL SELECT 'Hours asleep', is_last, total_sleep_duration / 3600.0, '%.1f', 0.17 FROM recent
  UNION ALL SELECT 'Efficiency, %', is_last, efficiency, '%.0f', 1.0 FROM recent
  UNION ALL SELECT 'Minutes to fall asleep', is_last, latency / 60.0, '%.0f', 1.0 FROM recent
), compared AS (
  SELECT name, form,
    max(iif(is_last, value, NULL)) AS value,
    count(iif(is_last, NULL, value)) AS nights,
    median(iif(is_last, NULL, value)) AS usual,
    max(1.4826 * mad(iif(is_last, NULL, value)), resolution) AS spread
  FROM measured
  GROUP BY name
)
SELECT name AS "Measurement", format(form, value) AS "Last night", format(form, usual) AS "Usual",
  (value - usual) / spread AS "Difference"
FROM compared
WHERE nights >= 14 AND value IS NOT NULL
ORDER BY abs((value - usual) / spread) DESC
