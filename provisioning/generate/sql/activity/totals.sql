SELECT
  sum(steps) AS "Steps",
  avg(steps) AS "Steps a day",
  sum(high_activity_time + medium_activity_time) AS "Brisk",
  avg(sedentary_time) AS "Sitting a day",
  count(*) AS "Days"
FROM days
WHERE
  $__dayFilter(day)
  AND steps IS NOT NULL
HAVING
  count(*) > 0
