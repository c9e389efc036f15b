-- Steps of an hour and more read one bucket an hour, shorter ones one every five minutes.
WITH buckets AS (
  SELECT * FROM heartrate_1h WHERE $__interval_ms >= 3600000 AND $__timeFilter(time)
  UNION ALL
  SELECT * FROM heartrate_5m WHERE $__interval_ms < 3600000 AND $__timeFilter(time)
)
SELECT $__timeGroup(time, $__interval) AS time, sum(sum) / sum(count) AS "Average", min(minimum) AS "Lowest", max(maximum) AS "Highest"
FROM buckets
GROUP BY 1
ORDER BY 1