WITH
  shown AS (
    SELECT time, collection,
      CASE state WHEN 'complete' THEN 3 WHEN 'partial' THEN 2 WHEN 'empty' THEN 1 ELSE 0 END AS value
    FROM coverage
    WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
  )
SELECT time, collection, value AS "Value" FROM shown
UNION ALL
SELECT $__timeFrom(), '$empty', 0 WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1
