CREATE VIEW baselines AS
WITH measured AS (
    SELECT 'average_hrv' AS metric, day, time, average_hrv AS value FROM nights
    UNION ALL SELECT 'average_heart_rate', day, time, average_heart_rate FROM nights
    UNION ALL SELECT 'lowest_heart_rate', day, time, lowest_heart_rate FROM nights
    UNION ALL SELECT 'average_breath', day, time, average_breath FROM nights
    UNION ALL SELECT 'total_sleep_duration', day, time, total_sleep_duration FROM nights
    UNION ALL SELECT 'steps', day, time, steps FROM days
), windowed AS (
    SELECT metric, day, time, value, avg(value) OVER past AS mean,
           avg(value * value) OVER past AS mean_square
    FROM measured WHERE value IS NOT NULL
    -- The previous 60 midnights, without the day itself. Two hours allow for daylight saving.
    WINDOW past AS (PARTITION BY metric ORDER BY time
                    RANGE BETWEEN 5191200 PRECEDING AND 43200 PRECEDING)
)
-- The values come from columns with different units. The + removes the unit of the first one.
SELECT metric, day, time, +value AS value, mean,
       sqrt(max(mean_square - mean * mean, 0)) AS deviation
FROM windowed
