WITH
  shown AS (SELECT time, seven, month FROM sleep_regularity WHERE $__timeFilter(time))
SELECT time, seven AS "7 nights", month AS "28 nights"
FROM shown
-- Without any value, the panel shows its words.
WHERE EXISTS (SELECT 1 FROM shown WHERE seven IS NOT NULL OR month IS NOT NULL)
ORDER BY time
