CREATE VIEW causes AS
-- What a day may do to the night that follows it. The newest day is left out: its activity is not complete.
SELECT day, 'Training' AS cause,
       coalesce(high_activity_met_minutes, 0) + coalesce(medium_activity_met_minutes, 0) AS value
FROM daily_activity WHERE day < (SELECT max(day) FROM daily_activity)
UNION ALL SELECT day, 'Steps', steps FROM daily_activity WHERE day < (SELECT max(day) FROM daily_activity)
UNION ALL SELECT day, 'High stress', stress_high FROM daily_stress
UNION ALL SELECT date(day, '-1 day'), 'Late to bed', bedtime FROM sleep_times
UNION ALL SELECT date(day, '-1 day'), 'Time asleep', slept FROM sleep_times
