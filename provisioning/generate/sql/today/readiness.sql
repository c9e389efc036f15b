SELECT name AS "Contributor", score AS "Score"
FROM
  (
    SELECT 'Recovery index' AS name, contributors_recovery_index AS score, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Resting heart rate', contributors_resting_heart_rate, day
    FROM daily_readiness
    UNION ALL
    SELECT 'HRV balance', contributors_hrv_balance, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Body temperature', contributors_body_temperature, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Previous night', contributors_previous_night, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Sleep balance', contributors_sleep_balance, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Sleep regularity', contributors_sleep_regularity, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Previous day', contributors_previous_day_activity, day
    FROM daily_readiness
    UNION ALL
    SELECT 'Activity balance', contributors_activity_balance, day
    FROM daily_readiness
  )
WHERE
  day = (
    SELECT max(day)
    FROM daily_readiness
    WHERE $__dayFilter(day)
  )
  AND score IS NOT NULL
ORDER BY score
