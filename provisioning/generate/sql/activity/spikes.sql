SELECT time, acute / nullif(chronic, 0) AS "Fatigue against fitness"
FROM training_load
WHERE
  $__timeFilter(time)
  AND since > 28
ORDER BY time
