WITH span AS (
  SELECT CAST(julianday($__dayTo()) - julianday($__dayFrom()) + 1 AS INTEGER) AS length
), both AS MATERIALIZED (
  SELECT day >= $__dayFrom() AS is_now, sleep_score, readiness_score, activity_score,
    total_sleep_duration, average_hrv, lowest_heart_rate, steps
  FROM days, span
  WHERE day BETWEEN date($__dayFrom(), '-' || length || ' days') AND $__dayTo()
), measured AS (
  SELECT 1 AS place, 'Sleep score' AS metric, is_now, sleep_score AS value, 0 AS digits FROM both
  UNION ALL SELECT 2, 'Readiness score', is_now, readiness_score, 0 FROM both
  UNION ALL SELECT 3, 'Activity score', is_now, activity_score, 0 FROM both
  UNION ALL SELECT 4, 'Hours asleep', is_now, total_sleep_duration / 3600.0, 1 FROM both
  UNION ALL SELECT 5, 'HRV at night, ms', is_now, average_hrv, 0 FROM both
  UNION ALL SELECT 6, 'Lowest heart rate, bpm', is_now, lowest_heart_rate, 0 FROM both
  UNION ALL SELECT 7, 'Steps', is_now, steps, 0 FROM both
)
SELECT metric AS "Metric",
  round(avg(iif(is_now, value, NULL)), digits) AS "This range",
  round(avg(iif(is_now, NULL, value)), digits) AS "Range before",
  100.0 * (avg(iif(is_now, value, NULL)) / avg(iif(is_now, NULL, value)) - 1) AS "Change",
  count(iif(is_now, value, NULL)) AS "Days"
FROM measured
GROUP BY metric
ORDER BY place
