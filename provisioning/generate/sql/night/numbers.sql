SELECT
  nights.total_sleep_duration AS "Asleep",
  nights.efficiency AS "Efficiency",
  nights.latency AS "To fall asleep",
  strftime('%H:%M', (bedtime + 86400) % 86400, 'unixepoch') AS "To bed",
  strftime('%H:%M', (wake + 86400) % 86400, 'unixepoch') AS "Up",
  nights.average_hrv AS "HRV",
  nights.lowest_heart_rate AS "Lowest heart rate",
  nights.average_breath AS "Breathing",
  nights.temperature_deviation AS "Temperature"
FROM
  nights
  JOIN sleep_times USING (day)
WHERE
  nights.day = (
    SELECT max(day)
    FROM nights
    WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
  )
