-- Each metric with its title, and its unit and size in this panel.
WITH shown(metric, title, unit, factor) AS (
  VALUES ('average_hrv', 'HRV', 'ms', 1), ('average_heart_rate', 'Heart rate at night', 'bpm', 1),
         ('lowest_heart_rate', 'Lowest heart rate', 'bpm', 1), ('average_breath', 'Breathing', '/min', 1),
         ('temperature_deviation', 'Temperature', '°C', 1), ('total_sleep_duration', 'Time asleep', 'min', 1 / 60.0),
         ('efficiency', 'Efficiency', '%', 1), ('latency', 'Time to fall asleep', 'min', 1 / 60.0),
         ('steps', 'Steps', '', 1)
)
SELECT title AS "Metric", format(iif(metric = 'steps', '%+.0f %s', '%+.1f %s'), regr_slope(value, julianday(day)) * 365 * factor, unit) AS "A year",
       corr(value, julianday(day)) AS "Correlation", count(*) AS "Days"
FROM baselines JOIN shown USING (metric)
WHERE $__timeFilter(time)
GROUP BY title
-- The slope of a month is no change of a year.
HAVING count(*) >= 90
ORDER BY title
