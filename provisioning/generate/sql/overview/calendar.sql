-- A heat map draws a cell before its time, so the time is the end of the week.
SELECT local_midnight(date($__dayGroup(day, 'week'), '+7 days')) AS time,
  max(iif(strftime('%w', day) = '0', score, NULL)) AS "Sun",
  max(iif(strftime('%w', day) = '6', score, NULL)) AS "Sat",
  max(iif(strftime('%w', day) = '5', score, NULL)) AS "Fri",
  max(iif(strftime('%w', day) = '4', score, NULL)) AS "Thu",
  max(iif(strftime('%w', day) = '3', score, NULL)) AS "Wed",
  max(iif(strftime('%w', day) = '2', score, NULL)) AS "Tue",
  max(iif(strftime('%w', day) = '1', score, NULL)) AS "Mon"
FROM (
  SELECT day, CASE '$score' WHEN 'sleep_score' THEN sleep_score WHEN 'activity_score' THEN activity_score
                            ELSE readiness_score END AS score
  FROM days
)
WHERE $__dayFilter(day) AND score IS NOT NULL
GROUP BY 1
ORDER BY 1
