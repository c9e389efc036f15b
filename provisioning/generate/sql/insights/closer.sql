WITH x AS MATERIALIZED (
    SELECT date(day, '+1 day') AS night, value FROM causes
    WHERE cause = '$cause' AND value IS NOT NULL
), y AS MATERIALIZED (
    SELECT day, value FROM outcomes
    WHERE outcome = '$outcome' AND value IS NOT NULL AND $__dayFilter(day)
)
-- Without rows, only a result with times keeps its columns. The panel needs "Day".
SELECT x.value AS "Day", y.value AS "Night", local_midnight(y.day) AS time
FROM y
JOIN x ON x.night = y.day
ORDER BY x.value
