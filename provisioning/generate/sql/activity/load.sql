SELECT
  time,
  load AS "Load",
  acute AS "Fatigue, 7 days",
  chronic AS "Fitness, 28 days",
  chronic - acute AS "Form"
FROM training_load
WHERE
  $__timeFilter(time)
  AND since > 28
ORDER BY time
