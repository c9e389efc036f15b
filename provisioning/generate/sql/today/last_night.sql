SELECT total_sleep_duration AS "Asleep", efficiency AS "Efficiency", latency AS "To fall asleep",
  average_hrv AS "HRV", lowest_heart_rate AS "Lowest heart rate", average_breath AS "Breathing"
FROM nights
WHERE $__timeFilter(bedtime_end)
ORDER BY day DESC
LIMIT 1
