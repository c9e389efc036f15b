SELECT time * 1000 AS milliseconds, sleep_score AS "Sleep", readiness_score AS "Readiness",
  activity_score AS "Activity"
FROM days
-- A panel of this kind refuses more points than half of its width in pixels.
WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
ORDER BY 1
