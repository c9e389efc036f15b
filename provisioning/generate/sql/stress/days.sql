WITH
  shown AS (
    SELECT stress_summary AS kind
    FROM days
    WHERE
      $__dayFilter(day)
      AND stress_summary IS NOT NULL
  )
SELECT kind AS "Day", count(*) - count(is_known) AS "Days"
FROM (
  SELECT kind, NULL AS is_known FROM shown
  -- A kind without days keeps its bar: a single bar would have no name.
  UNION ALL
  SELECT column1, 1 FROM (VALUES ('restored'), ('normal'), ('stressful'))
  WHERE EXISTS (SELECT 1 FROM shown)
)
GROUP BY 1
ORDER BY 2 DESC, 1
