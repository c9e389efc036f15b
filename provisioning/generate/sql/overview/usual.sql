SELECT time, value AS "$title", mean AS "Usual", mean - deviation AS "Lower", mean + deviation AS "Upper"
FROM (
  SELECT time, $column AS value, avg($column) OVER past AS mean, stddev($column) OVER past AS deviation
  FROM nights
  -- Reads the range and the 60 days before it, and no more.
  WHERE $column IS NOT NULL AND time BETWEEN $__timeFrom() - 61 * 86400 AND $__timeTo()
  WINDOW past AS (ORDER BY time RANGE BETWEEN 5191200 PRECEDING AND 43200 PRECEDING)
)
WHERE $__timeFilter(time)
ORDER BY time
