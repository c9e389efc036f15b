WITH
  weeks AS (
    SELECT
      $__dayGroup(day, 'week') AS week,
      medium_activity_time + 2 * high_activity_time AS seconds
    FROM days
    WHERE $__dayFilter(day)
  )
SELECT local_midnight(week) AS time, sum(seconds) / 60.0 AS "Minutes"
FROM (
  SELECT * FROM weeks
  -- The width of a bar is the distance to its neighbour. A single one would cover other weeks.
  UNION ALL SELECT date(min(week), '-7 days'), NULL FROM weeks HAVING count(*) > 0
)
GROUP BY 1
ORDER BY 1
