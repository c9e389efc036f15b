-- Values without the median of four weeks around them, among days of the same kind (before a
-- working day or not). At most the last three years of the range.
WITH lags(lag) AS (VALUES (0), (1), (2)),
x AS MATERIALIZED (
    SELECT day, cause,
           value - median(value) OVER (
               PARTITION BY cause, strftime('%w', day) IN ('5', '6') ORDER BY julianday(day)
               RANGE BETWEEN 28 PRECEDING AND 28 FOLLOWING) AS value
    FROM causes
    WHERE value IS NOT NULL AND day BETWEEN max($__dayFrom(), date($__dayTo(), '-1095 days')) AND $__dayTo()
), y AS MATERIALIZED (
    SELECT day, outcome,
           value - median(value) OVER (
               PARTITION BY outcome, strftime('%w', day) IN ('6', '0') ORDER BY julianday(day)
               RANGE BETWEEN 28 PRECEDING AND 28 FOLLOWING) AS value
    FROM outcomes
    WHERE value IS NOT NULL AND day BETWEEN max($__dayFrom(), date($__dayTo(), '-1095 days')) AND $__dayTo()
), pairs AS (
    SELECT x.day, cause, outcome, lag, x.value AS x, y.value AS y
    FROM x
    CROSS JOIN lags
    JOIN y ON y.day = date(x.day, '+' || (lag + 1) || ' days')
    -- Time asleep contains these by definition.
    WHERE cause <> outcome
      AND NOT (cause = 'Late to bed' AND outcome = 'Time asleep' AND lag = 0)
      AND NOT (cause = 'Time asleep' AND outcome = 'Efficiency' AND lag = 0)
), tested AS (
    SELECT cause, outcome, lag, r, n, worth, normal_p(atanh * sqrt(worth - 3)) AS p, atanh
    FROM (
        SELECT *, 0.5 * ln((1 + r) / (1 - r)) AS atanh
        FROM (
            SELECT cause, outcome, lag, spearman(x, y) AS r, count(*) AS n,
                   effective_n(x, y ORDER BY day) AS worth
            FROM pairs
            GROUP BY cause, outcome, lag
            HAVING count(*) >= 60
        )
        WHERE abs(r) < 1 AND worth > 4
    )
), placed AS (
    SELECT *, p * count(*) OVER () / rank() OVER (ORDER BY p) AS share FROM tested
), judged AS (
    SELECT *, min(1, min(share) OVER (ORDER BY p DESC)) AS q FROM placed
)
SELECT cause AS "Day", outcome AS "Night", lag AS "Nights later", r AS "Correlation",
       format('%+.2f to %+.2f', 1 - 2 / (exp(2 * (atanh - 1.96 / sqrt(worth - 3))) + 1),
              1 - 2 / (exp(2 * (atanh + 1.96 / sqrt(worth - 3))) + 1)) AS "95 % interval",
       n AS "Days", CAST(round(worth) AS INTEGER) AS "Independent days", q AS "q",
       iif(q <= 0.1, 'more than chance', 'may be chance') AS "Reading"
FROM judged
ORDER BY p, cause, outcome, lag
