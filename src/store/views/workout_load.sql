CREATE VIEW workout_load AS
-- Banister's training impulse. Rest is the mean of the lowest heart rates of 28 nights.
WITH resting AS MATERIALIZED (
    SELECT calendar.day,
           avg(main_sleep.lowest_heart_rate)
               OVER (ORDER BY julianday(calendar.day) RANGE BETWEEN 27 PRECEDING AND CURRENT ROW) AS rest
    FROM calendar
    LEFT JOIN main_sleep ON main_sleep.day = calendar.day
), highest AS MATERIALIZED (SELECT maximum, biological_sex FROM person)
SELECT document, day, time, activity, intensity, calories, distance, minutes, average, highest, reserve,
       minutes * reserve
           * iif(biological_sex = 'female', 0.86 * exp(1.67 * reserve), 0.64 * exp(1.92 * reserve)) AS trimp
FROM (
    SELECT *, min(1, max(0, (average - rest) / (maximum - rest))) AS reserve
    FROM (
        SELECT workout.document, workout.day, workout.time, workout.activity, workout.intensity,
               workout.calories, workout.distance,
               (workout.end_datetime - workout.time) / 60.0 AS minutes,
               (SELECT avg(bpm) FROM heartrate
                WHERE heartrate.time BETWEEN workout.time AND workout.end_datetime) AS average,
               (SELECT max(bpm) FROM heartrate
                WHERE heartrate.time BETWEEN workout.time AND workout.end_datetime) AS highest,
               resting.rest, highest.maximum, highest.biological_sex
        FROM workout
        LEFT JOIN resting ON resting.day = workout.day
        CROSS JOIN highest
    )
)
