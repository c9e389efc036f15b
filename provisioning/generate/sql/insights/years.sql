-- Nights of the years before, moved onto the days of the range.
WITH means AS (
  SELECT day, avg(average_hrv) OVER (ORDER BY julianday(day) RANGE BETWEEN 27 PRECEDING AND CURRENT ROW) AS value
  FROM nights
), earlier(years, name) AS (
  VALUES (0, 'Last 12 months'), (1, 'A year before'), (2, 'Two years before'), (3, 'Three years before')
), moved AS (
  SELECT date(day, '+' || years || ' years') AS day, years, name, value
  FROM means CROSS JOIN earlier
)
SELECT local_midnight(day) AS time, name, avg(value) AS "Value"
FROM moved
WHERE $__dayFilter(day)
-- 29 February falls on 1 March.
GROUP BY day, years
ORDER BY day, years
