SELECT $__dayGroup(day, 'week') AS "Week", avg(sleep_score) AS "Sleep", avg(readiness_score) AS "Readiness",
  avg(activity_score) AS "Activity", avg(total_sleep_duration) AS "Asleep", avg(average_hrv) AS "HRV",
  avg(lowest_heart_rate) AS "Lowest heart rate", avg(steps) AS "Steps",
  sum(stress_summary = 'stressful') AS "Stressful days", count(*) AS "Days"
FROM days
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1 DESC
LIMIT 60
