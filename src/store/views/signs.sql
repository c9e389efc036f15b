CREATE VIEW signs AS
-- Four measurements in spreads from usual. A sign is a distance of two spreads in the direction of strain.
SELECT day, time, temperature, heart, hrv, breath, signs, known, deviation,
       CASE WHEN known < 3 THEN NULL
            WHEN deviation >= 0.5 AND (heart >= 1 OR hrv <= -1 OR breath >= 1) THEN 'clear'
            WHEN signs >= 2 AND before >= 2 AND apart = 1 THEN 'clear'
            WHEN signs >= 2 THEN 'some'
            ELSE 'none' END AS level
FROM (
    SELECT *, lag(signs) OVER (ORDER BY day) AS before,
           julianday(day) - julianday(lag(day) OVER (ORDER BY day)) AS apart
    FROM (
        SELECT *,
               coalesce(temperature >= 2, 0) + coalesce(heart >= 2, 0) + coalesce(hrv <= -2, 0)
                   + coalesce(breath >= 2, 0) AS signs,
               (temperature IS NOT NULL) + (heart IS NOT NULL) + (hrv IS NOT NULL)
                   + (breath IS NOT NULL) AS known
        FROM (
            SELECT day, time,
                   max(iif(metric = 'temperature_deviation', z, NULL)) AS temperature,
                   max(iif(metric = 'temperature_deviation', value, NULL)) AS deviation,
                   max(iif(metric = 'lowest_heart_rate', z, NULL)) AS heart,
                   max(iif(metric = 'average_hrv', z, NULL)) AS hrv,
                   max(iif(metric = 'average_breath', z, NULL)) AS breath
            FROM baselines
            WHERE metric IN ('temperature_deviation', 'lowest_heart_rate', 'average_hrv', 'average_breath')
            GROUP BY day
        )
    )
)
