SELECT
  time,
  exp(mean) AS "Mean of 7 nights",
  exp(middle - 0.5 * spread) AS "Lower",
  exp(middle + 0.5 * spread) AS "Upper",
  100 * deviation / mean AS "Variation"
FROM
  (
    SELECT
      time,
      avg(ln(average_hrv)) OVER week AS mean,
      stddev(ln(average_hrv)) OVER week AS deviation,
      count(*) OVER week AS nights,
      avg(ln(average_hrv)) OVER past AS middle,
      stddev(ln(average_hrv)) OVER past AS spread
    FROM nights
    WHERE average_hrv > 0
    WINDOW
      week AS (ORDER BY julianday(day) RANGE BETWEEN 6 PRECEDING AND CURRENT ROW),
      past AS (ORDER BY julianday(day) RANGE BETWEEN 60 PRECEDING AND 1 PRECEDING)
  )
WHERE
  nights >= 3
  AND $__timeFilter(time)
ORDER BY time
