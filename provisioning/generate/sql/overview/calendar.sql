WITH shown AS (
  SELECT day, $__dayGroup(day, 'week') AS week,
    CASE '$score' WHEN 'sleep_score' THEN sleep_score WHEN 'activity_score' THEN activity_score
                  ELSE readiness_score END AS score
  FROM days
  -- A panel of this kind refuses more points than half of its width in pixels.
  WHERE $__dayFilter(day) AND day > date($__dayTo(), '-366 days')
), cells AS (
  SELECT * FROM shown WHERE score IS NOT NULL
  -- A single column would have no width. The week before it gives it one.
  UNION ALL SELECT NULL, date(min(week), '-7 days'), NULL FROM shown WHERE score IS NOT NULL HAVING count(*) > 0
)
SELECT local_midnight(week) * 1000 AS milliseconds,
  max(iif(strftime('%w', day) = '1', score, NULL)) AS "Mon",
  max(iif(strftime('%w', day) = '2', score, NULL)) AS "Tue",
  max(iif(strftime('%w', day) = '3', score, NULL)) AS "Wed",
  max(iif(strftime('%w', day) = '4', score, NULL)) AS "Thu",
  max(iif(strftime('%w', day) = '5', score, NULL)) AS "Fri",
  max(iif(strftime('%w', day) = '6', score, NULL)) AS "Sat",
  max(iif(strftime('%w', day) = '0', score, NULL)) AS "Sun"
FROM cells
GROUP BY 1
ORDER BY 1
