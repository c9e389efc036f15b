WITH kept AS (
    SELECT 'Activity score of 85' AS goal, day FROM daily_activity WHERE score >= 85
    UNION ALL SELECT 'Seven hours asleep', day FROM nights WHERE total_sleep_duration >= 25200
    UNION ALL SELECT 'Ten thousand steps', day FROM daily_activity WHERE steps >= 10000
    UNION ALL SELECT 'In bed before midnight', day FROM sleep_times WHERE bedtime < 0
    UNION ALL SELECT 'Ring worn at night', day FROM nights
), runs AS (
    SELECT goal, min(day) AS first, max(day) AS last, count(*) AS days
    FROM (SELECT goal, day, julianday(day) - row_number() OVER (PARTITION BY goal ORDER BY day) AS run FROM kept)
    GROUP BY goal, run
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY goal ORDER BY days DESC, last DESC) AS place FROM runs
)
SELECT goal AS "Streak",
       max(iif(last >= date(local_day($__unixEpochTo()), '-1 day'), days, 0)) AS "Days now",
       max(days) AS "Longest", max(iif(place = 1, last, NULL)) AS "Until"
FROM placed
GROUP BY goal
ORDER BY goal
