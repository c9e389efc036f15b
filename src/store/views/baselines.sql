CREATE VIEW baselines AS
WITH measured AS (
    {usual_metrics}
), windowed AS (
    SELECT metric, day, time, value, avg(value) OVER past AS mean,
           avg(value * value) OVER past AS mean_square, count(value) OVER past AS nights,
           median(value) OVER past AS middle, {usual_spread} AS spread
    FROM measured WHERE value IS NOT NULL
    WINDOW past AS (PARTITION BY metric ORDER BY julianday(day)
                    RANGE BETWEEN 60 PRECEDING AND 1 PRECEDING)
)
-- The values come from columns with different units. The + removes the unit of the first one.
SELECT metric, day, time, +value AS value, mean,
       sqrt(max(mean_square - mean * mean, 0)) AS deviation, nights,
       iif(nights >= {usual_days}, middle, NULL) AS middle,
       iif(nights >= {usual_days}, spread, NULL) AS spread,
       iif(nights >= {usual_days}, (value - middle) / spread, NULL) AS z
FROM windowed
