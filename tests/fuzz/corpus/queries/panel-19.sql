SELECT time, value AS "Lowest heart rate", mean AS "Baseline", mean - deviation AS "Lower", mean + deviation AS "Upper"
FROM baselines
WHERE metric = 'lowest_heart_rate' AND $__timeFilter(time)
ORDER BY time