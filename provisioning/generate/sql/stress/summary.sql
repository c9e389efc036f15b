SELECT time, stress_summary AS "Stress"
FROM days
-- A panel of this kind refuses more points than half of its width in pixels.
WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
ORDER BY time
