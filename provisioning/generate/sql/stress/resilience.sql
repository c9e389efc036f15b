SELECT time * 1000 AS milliseconds, resilience_level AS "Resilience"
FROM days
WHERE $__timeFilter(time) AND resilience_level IS NOT NULL
ORDER BY 1
