SELECT time, level AS "Strain"
FROM signs
WHERE $__timeFilter(time)
ORDER BY time
