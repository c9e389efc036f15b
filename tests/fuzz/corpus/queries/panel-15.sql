SELECT time, stress_summary AS "Day", resilience_level AS "Resilience"
FROM days
WHERE $__timeFilter(time)
ORDER BY time