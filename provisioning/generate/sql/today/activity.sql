SELECT steps AS "Steps", active_calories AS "Active energy",
  high_activity_time + medium_activity_time AS "Brisk movement", sedentary_time AS "Sitting"
FROM daily_activity
WHERE $__dayFilter(day)
ORDER BY day DESC
LIMIT 1
