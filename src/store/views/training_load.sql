CREATE VIEW training_load AS
-- Load is MET minutes at medium and high intensity. Today is left out: its activity is not complete.
SELECT day, time, load,
       ewma(load, 0.25) OVER (ORDER BY day) AS acute,
       ewma(load, 2.0 / 29) OVER (ORDER BY day) AS chronic,
       row_number() OVER (ORDER BY day) AS since
FROM (
    SELECT day, time, coalesce(high_activity_met_minutes, 0) + coalesce(medium_activity_met_minutes, 0) AS load
    FROM daily_activity
    WHERE day < date((SELECT max(day) FROM daily_activity))
      -- The document that days shows.
      AND document = (SELECT one.document FROM daily_activity AS one WHERE one.day = daily_activity.day
                      ORDER BY one.steps DESC, one.id, one.document LIMIT 1)
)
