-- Agreement of two days in a row in being asleep or awake at the same time of day, in steps of five minutes from noon to noon.
WITH epochs AS MATERIALIZED (
    SELECT DISTINCT sleep.day, unixepoch(sleep.day) / 86400 AS number,
           (samples.time + sleep.utc_offset - unixepoch(sleep.day) + 43200) / 300 AS epoch
    FROM sleep
    CROSS JOIN samples ON samples.series = 'sleep.sleep_phase_5_min' AND samples.document = sleep.document
         AND samples.time BETWEEN sleep.time AND sleep.time + 172800 AND samples.value < 4
    WHERE coalesce(sleep.type, '') NOT IN ('deleted', 'rest') AND sleep.day BETWEEN ?1 AND ?3
), asleep AS MATERIALIZED (
    SELECT number, min(day) AS day, count(*) AS fives FROM epochs GROUP BY number
), both AS MATERIALIZED (
    SELECT today.number, count(*) AS fives
    FROM epochs AS today
    JOIN epochs AS before ON before.number = today.number - 1 AND before.epoch = today.epoch
    GROUP BY 1
), agreement AS (
    SELECT today.day, today.number, 1 - (today.fives + before.fives - 2 * coalesce(both.fives, 0)) / 288.0 AS same
    FROM asleep AS today
    JOIN asleep AS before ON before.number = today.number - 1
    LEFT JOIN both ON both.number = today.number
), averaged AS (
    SELECT agreement.day, calendar.time,
           iif(count(*) OVER seven >= 5, 200 * avg(same) OVER seven - 100, NULL) AS seven,
           iif(count(*) OVER month >= 20, 200 * avg(same) OVER month - 100, NULL) AS month
    FROM agreement
    JOIN calendar ON calendar.day = agreement.day
    WINDOW seven AS (ORDER BY number RANGE BETWEEN 6 PRECEDING AND CURRENT ROW),
           month AS (ORDER BY number RANGE BETWEEN 27 PRECEDING AND CURRENT ROW)
)
SELECT day, time, seven, month FROM averaged WHERE day BETWEEN ?2 AND ?3
