WITH
  shown AS MATERIALIZED (SELECT time, level FROM signs WHERE $__timeFilter(time))
SELECT time * 1000 AS milliseconds, level AS "Strain"
FROM shown
-- A night without a level ends the state before it.
WHERE EXISTS (SELECT 1 FROM shown WHERE level IS NOT NULL)
ORDER BY 1
