WITH x AS MATERIALIZED (
    SELECT date(day, '+1 day') AS night, value FROM causes
    WHERE cause = '$cause' AND value IS NOT NULL
), y AS MATERIALIZED (
    SELECT day, value FROM outcomes
    WHERE outcome = '$outcome' AND value IS NOT NULL AND $__dayFilter(day)
)
SELECT x.value AS "Day", y.value AS "Night"
FROM y
JOIN x ON x.night = y.day
ORDER BY x.value
