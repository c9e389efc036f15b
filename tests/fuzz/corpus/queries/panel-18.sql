SELECT time, value AS "HRV", mean AS "Baseline", mean - deviation AS "Lower", mean + deviation AS "Upper"
FROM baselines
WHERE metric = 'average_hrv' AND $__timeFilter(time)
ORDER BY time