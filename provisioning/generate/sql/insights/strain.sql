WITH shown AS MATERIALIZED (SELECT time, level FROM signs WHERE $__timeFilter(time))
SELECT time, level AS "Strain" FROM shown
UNION ALL
SELECT $__timeFrom(), '$empty' WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1
