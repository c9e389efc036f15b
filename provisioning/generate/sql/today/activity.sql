SELECT steps AS "Steps", 100.0 * active_calories / nullif(target_calories, 0) AS "Goal",
  high_activity_time + medium_activity_time AS "Brisk", sedentary_time AS "Sitting"
FROM daily_activity
WHERE $__dayFilter(day)
ORDER BY day DESC
LIMIT 1
