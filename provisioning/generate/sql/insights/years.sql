WITH means AS (
    SELECT time, CAST(strftime('%j', day) AS INTEGER) AS place, CAST(strftime('%Y', day) AS INTEGER) AS year,
           avg(average_hrv) OVER (ORDER BY julianday(day) RANGE BETWEEN 27 PRECEDING AND CURRENT ROW) AS value
    FROM nights
), newest AS (SELECT max(year) AS newest FROM means)
-- Without rows, only a result with times keeps its columns. The panel needs "Day of the year".
SELECT place AS "Day of the year", max(iif(year = newest, value, NULL)) AS "This year",
       max(iif(year = newest - 1, value, NULL)) AS "Last year",
       max(iif(year = newest - 2, value, NULL)) AS "Two years ago",
       max(iif(year = newest - 3, value, NULL)) AS "Three years ago",
       max(time) AS time
FROM means
CROSS JOIN newest
WHERE year >= newest - 3
GROUP BY 1
ORDER BY 1
