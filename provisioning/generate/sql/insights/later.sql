WITH lags(lag) AS (VALUES (0), (1), (2), (3), (4), (5), (6)),
x AS MATERIALIZED (
    SELECT day, cause,
           value - median(value) OVER (
               PARTITION BY cause, strftime('%w', day) IN ('5', '6') ORDER BY julianday(day)
               RANGE BETWEEN 28 PRECEDING AND 28 FOLLOWING) AS value
    FROM causes
    WHERE value IS NOT NULL AND day BETWEEN max($__dayFrom(), date($__dayTo(), '-1095 days')) AND $__dayTo()
), y AS MATERIALIZED (
    SELECT day,
           value - median(value) OVER (
               PARTITION BY strftime('%w', day) IN ('6', '0') ORDER BY julianday(day)
               RANGE BETWEEN 28 PRECEDING AND 28 FOLLOWING) AS value
    FROM outcomes
    WHERE outcome = '$outcome' AND value IS NOT NULL
      AND day BETWEEN max($__dayFrom(), date($__dayTo(), '-1095 days')) AND $__dayTo()
), pairs AS (
    SELECT cause, lag, rank() OVER (PARTITION BY cause, lag ORDER BY x.value) AS x,
           rank() OVER (PARTITION BY cause, lag ORDER BY y.value) AS y
    FROM x
    CROSS JOIN lags
    JOIN y ON y.day = date(x.day, '+' || (lag + 1) || ' days')
    WHERE NOT (cause = '$outcome' AND lag = 0)
), correlated AS (
    SELECT cause, lag, corr(x, y) AS r, count(*) AS n
    FROM pairs
    GROUP BY cause, lag
    HAVING count(*) >= 60
)
SELECT lag AS "Nights later", max(iif(cause = 'Training', r, NULL)) AS "Training",
       max(iif(cause = 'Steps', r, NULL)) AS "Steps",
       max(iif(cause = 'High stress', r, NULL)) AS "High stress",
       max(iif(cause = 'Late to bed', r, NULL)) AS "Late to bed",
       max(iif(cause = 'Time asleep', r, NULL)) AS "Time asleep", min(n) AS "Days"
FROM correlated
GROUP BY lag
ORDER BY lag
