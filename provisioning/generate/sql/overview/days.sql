WITH
  shown AS (
    SELECT *
    FROM days
    -- A panel of this kind refuses more points than half of its width in pixels.
    WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
  )
SELECT time, sleep_score AS "Sleep", readiness_score AS "Readiness", activity_score AS "Activity",
  stress_summary AS "Stress", resilience_level AS "Resilience"
FROM shown
UNION ALL
SELECT $__timeFrom(), NULL, NULL, NULL, '$empty', NULL WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1
