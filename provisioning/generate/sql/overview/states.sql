SELECT time * 1000 AS milliseconds, stress_summary AS "Stress", resilience_level AS "Resilience"
FROM days
-- A panel of this kind refuses more points than half of its width in pixels.
WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
  AND EXISTS (
    SELECT 1 FROM days
    WHERE time BETWEEN $__timeFrom() AND $__timeTo() AND coalesce(stress_summary, resilience_level) IS NOT NULL
  )
ORDER BY 1
