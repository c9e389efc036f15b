SELECT name AS "Contributor", score AS "Score"
FROM (
  SELECT 'Deep sleep' AS name, contributors_deep_sleep AS score, day FROM daily_sleep
  UNION ALL SELECT 'Efficiency', contributors_efficiency, day FROM daily_sleep
  UNION ALL SELECT 'Latency', contributors_latency, day FROM daily_sleep
  UNION ALL SELECT 'REM sleep', contributors_rem_sleep, day FROM daily_sleep
  UNION ALL SELECT 'Restfulness', contributors_restfulness, day FROM daily_sleep
  UNION ALL SELECT 'Timing', contributors_timing, day FROM daily_sleep
  UNION ALL SELECT 'Total sleep', contributors_total_sleep, day FROM daily_sleep
)
WHERE day = (SELECT max(day) FROM daily_sleep WHERE $__dayFilter(day)) AND score IS NOT NULL
ORDER BY score
