WITH
  ROW AS (
    SELECT day, lag(day) OVER (ORDER BY day) AS BEFORE, lead(day) OVER (ORDER BY day) AS AFTER
    FROM nights
  )
SELECT
  '‹ ' || BEFORE AS "Earlier",
  day AS "Night",
  AFTER || ' ›' AS "Later",
  (local_midnight(BEFORE) - 43200) * 1000 AS before_from,
  (local_midnight(BEFORE) + 43200) * 1000 AS before_to,
  (local_midnight(AFTER) - 43200) * 1000 AS after_from,
  (local_midnight(AFTER) + 43200) * 1000 AS after_to
FROM ROW
WHERE
  day = (
    SELECT max(day)
    FROM nights
    WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
  )
