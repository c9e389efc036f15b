WITH measured AS (
    SELECT * FROM (
        {usual_metrics}
    )
    WHERE value IS NOT NULL AND day BETWEEN ?1 AND ?3
), windowed AS (
    SELECT metric, day, time, value, avg(value) OVER past AS mean,
           avg(value * value) OVER past AS mean_square, count(value) OVER past AS nights,
           median(value) OVER past AS middle, {usual_spread} AS spread
    FROM measured
    WINDOW past AS (PARTITION BY metric ORDER BY julianday(day)
                    RANGE BETWEEN {usual_window} PRECEDING AND 1 PRECEDING)
)
SELECT metric, day, time, value, mean, sqrt(max(mean_square - mean * mean, 0)) AS deviation, nights,
       iif(nights >= {usual_days}, middle, NULL) AS middle,
       iif(nights >= {usual_days}, spread, NULL) AS spread,
       iif(nights >= {usual_days}, (value - middle) / spread, NULL) AS z
FROM windowed
WHERE day BETWEEN ?2 AND ?3
