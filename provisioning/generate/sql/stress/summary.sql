WITH
  shown AS (
    SELECT time, stress_summary
    FROM days
    -- A panel of this kind refuses more points than half of its width in pixels.
    WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
  )
SELECT time * 1000 AS milliseconds, stress_summary AS "Stress"
FROM shown
-- A day without a summary keeps its place.
WHERE EXISTS (SELECT 1 FROM shown WHERE stress_summary IS NOT NULL)
ORDER BY 1
