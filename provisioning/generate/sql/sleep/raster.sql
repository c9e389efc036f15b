WITH asleep AS (
  SELECT sleep.day, (samples.time + sleep.utc_offset - unixepoch(sleep.day) + 43200) / 1800 AS slot, count(*) / 6.0 AS share
  FROM sleep
  JOIN samples ON samples.series = 'sleep.sleep_phase_5_min' AND samples.document = sleep.document AND samples.value < 4
  WHERE $__dayFilter(sleep.day) AND sleep.type IN ('long_sleep', 'sleep', 'late_nap')
  GROUP BY 1, 2
)
SELECT local_midnight(day) AS time,
  $columns
FROM asleep
GROUP BY day
ORDER BY day
