SELECT time, value AS "$title", middle AS "Usual", middle - spread AS "Lower", middle + spread AS "Upper"
FROM baselines
WHERE metric = '$column' AND $__timeFilter(time)
ORDER BY time
