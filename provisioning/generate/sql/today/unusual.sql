SELECT
  CASE metric
    WHEN 'average_hrv' THEN 'HRV'
    WHEN 'lowest_heart_rate' THEN 'Lowest heart rate'
    WHEN 'average_heart_rate' THEN 'Mean heart rate'
    WHEN 'average_breath' THEN 'Breathing'
    WHEN 'temperature_deviation' THEN 'Temperature'
    WHEN 'total_sleep_duration' THEN 'Time asleep'
    WHEN 'efficiency' THEN 'Efficiency'
    ELSE 'To fall asleep'
  END AS "Vital",
  CASE metric
    WHEN 'total_sleep_duration' THEN substr(hms(value), 1, length(hms(value)) - 3)
    WHEN 'latency' THEN format('%.0f min', value / 60)
    WHEN 'temperature_deviation' THEN format('%+.2f °C', value)
    WHEN 'average_breath' THEN format('%.1f', value)
    ELSE format('%.0f', value)
  END AS "Last night",
  z AS "Difference",
  middle,
  spread
FROM baselines
WHERE
  day = (
    SELECT max(day)
    FROM nights
    WHERE $__timeFilter(bedtime_end)
  )
ORDER BY abs(z) DESC
