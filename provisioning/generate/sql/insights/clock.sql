-- A cosine of 24 hours through the mean heart rates of the hours, without workouts.
WITH hours AS (
    SELECT wall_hour(time) AS hour, sum(sum) / sum(count) AS mean
    FROM heartrate_1h
    WHERE $__timeFilter(time) AND source <> 'workout'
    GROUP BY 1
), wave AS (
    SELECT sum(mean * cos(hour * pi() / 12)) / 12 AS b, sum(mean * sin(hour * pi() / 12)) / 12 AS g
    FROM hours
    HAVING count(*) = 24
), jet AS (
    SELECT social_jet_lag, free_nights FROM sleep_timing
    WHERE $__timeFilter(time) AND free_nights >= 8
    ORDER BY day DESC LIMIT 1
)
SELECT strftime('%H:%M', CAST(mod(atan2(g, b) / pi() * 12 + 24, 24) * 3600 AS INTEGER), 'unixepoch') AS "Peak of the day",
       2 * sqrt(b * b + g * g) AS "Swing", social_jet_lag AS "Weekend later by", free_nights AS "Weekend nights"
FROM wave
LEFT JOIN jet ON TRUE
