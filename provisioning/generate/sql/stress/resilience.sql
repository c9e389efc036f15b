WITH
  shown AS (
    SELECT time, resilience_level
    FROM days
    WHERE $__timeFilter(time) AND resilience_level IS NOT NULL
  )
SELECT time, resilience_level AS "Resilience" FROM shown
UNION ALL
SELECT $__timeFrom(), '$empty' WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1
