SELECT replace(metric, '_', ' ') AS "Metric", regr_slope(value, julianday(day)) * 365 AS "Change in a year",
       corr(value, julianday(day)) AS "Correlation", count(*) AS "Nights"
FROM baselines
WHERE $__timeFilter(time)
GROUP BY metric
HAVING count(*) >= 30
