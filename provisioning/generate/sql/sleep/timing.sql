SELECT
  time,
  midpoint_spread / 60 AS "Spread of the middle, 14 nights",
  social_jet_lag / 60 AS "Weekend against week, 8 weeks"
FROM sleep_timing
WHERE
  $__timeFilter(time)
  AND nights >= 7
ORDER BY time
