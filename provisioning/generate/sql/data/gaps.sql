SELECT
  collection AS "Collection",
  min(day) AS "From",
  max(day) AS "Until",
  count(*) AS "Days",
  reason AS "Why"
FROM
  (
    SELECT
      *,
      julianday(day) - row_number() OVER (
        PARTITION BY collection, reason
        ORDER BY day
      ) AS run
    FROM coverage
    WHERE
      reason IS NOT NULL
      AND reason <> 'empty'
      AND $__timeFilter(time)
  )
GROUP BY collection, reason, run
ORDER BY 2 DESC, 1
LIMIT
  200
