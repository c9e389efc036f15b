SELECT time, value AS "$title", middle AS "Usual", middle - spread AS "Lower", middle + spread AS "Upper"
FROM (
  SELECT time, $column AS value, median($column) OVER past AS middle, 1.4826 * mad($column) OVER past AS spread
  FROM nights
  -- Reads the range and the 60 days before it, and no more.
  WHERE $column IS NOT NULL AND time BETWEEN $__timeFrom() - 61 * 86400 AND $__timeTo()
  WINDOW past AS (ORDER BY time RANGE BETWEEN 5191200 PRECEDING AND 43200 PRECEDING)
)
WHERE $__timeFilter(time)
ORDER BY time
