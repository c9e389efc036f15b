SELECT time, collection,
  CASE state WHEN 'complete' THEN 3 WHEN 'partial' THEN 2 WHEN 'empty' THEN 1 ELSE 0 END AS "Value"
FROM coverage
WHERE time BETWEEN max($__timeFrom(), $__timeTo() - 366 * 86400) AND $__timeTo()
ORDER BY 1
