SELECT time, temperature_deviation AS "Deviation"
FROM days
WHERE $__timeFilter(time)
ORDER BY time