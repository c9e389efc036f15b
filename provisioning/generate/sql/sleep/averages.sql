SELECT
  avg(total_sleep_duration) AS "Asleep",
  avg(efficiency) AS "Efficiency",
  avg(latency) AS "To fall asleep",
  avg(100.0 * deep_sleep_duration / nullif(total_sleep_duration, 0)) AS "Deep",
  avg(100.0 * rem_sleep_duration / nullif(total_sleep_duration, 0)) AS "REM",
  avg(average_hrv) AS "HRV",
  count(*) AS "Nights"
FROM nights
WHERE $__timeFilter(time)
HAVING
  count(*) > 0
