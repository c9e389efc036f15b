WITH x AS MATERIALIZED (
    SELECT date(day, '+1 day') AS night, value / iif(cause IN ('High stress', 'Late to bed', 'Time asleep'), 3600.0, 1) AS value
    FROM causes
    WHERE cause = '$cause' AND value IS NOT NULL
), y AS MATERIALIZED (
    SELECT day, value / iif(outcome = 'Time asleep', 3600.0, 1) AS value FROM outcomes
    WHERE outcome = '$outcome' AND value IS NOT NULL AND $__dayFilter(day)
)
-- Without rows, only a result with times keeps its columns. The panel needs "Day", which must rise:
-- equal values are a billionth apart.
SELECT x.value + 1e-9 * row_number() OVER (ORDER BY x.value, x.night) AS "Day", json_object('Night', y.value) AS lines, local_midnight(y.day) AS time
FROM y
JOIN x ON x.night = y.day
ORDER BY 1
