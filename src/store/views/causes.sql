CREATE VIEW causes AS
-- Properties of a day that can affect the night after it. The activity of the newest day is not
-- complete. The values have different units. The + removes the unit of the last column.
SELECT day, cause, +value AS value
FROM (SELECT day, 'Training' AS cause,
             coalesce(high_activity_met_minutes, 0) + coalesce(medium_activity_met_minutes, 0) AS value
      FROM daily_activity WHERE day < (SELECT max(day) FROM daily_activity)
      UNION ALL SELECT day, 'Steps', steps
      FROM daily_activity WHERE day < (SELECT max(day) FROM daily_activity)
      UNION ALL SELECT day, 'High stress', stress_high FROM daily_stress
      UNION ALL SELECT date(day, '-1 day'), 'Late to bed', bedtime FROM sleep_times
      UNION ALL SELECT date(day, '-1 day'), 'Time asleep', slept FROM sleep_times)
