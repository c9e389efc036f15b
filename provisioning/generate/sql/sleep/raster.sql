WITH RECURSIVE
  half(slot) AS (
    SELECT 0
    UNION ALL
    SELECT slot + 1
    FROM half
    WHERE slot < 47
  ),
  asleep AS (
    SELECT
      sleep.day,
      (samples.time + sleep.utc_offset - unixepoch(sleep.day) + 43200) / 1800 AS slot,
      count(*) AS fives
    FROM
      sleep
      JOIN samples ON samples.series = 'sleep.sleep_phase_5_min'
      AND samples.document = sleep.document
      AND samples.value < 4
    WHERE
      $__dayFilter(sleep.day)
      AND sleep.type IN ('long_sleep', 'sleep', 'late_nap')
    GROUP BY 1, 2
  )
SELECT
  nights.time,
  format('%02d:%02d', (12 + half.slot / 2) % 24, half.slot % 2 * 30) AS clock,
  coalesce(asleep.fives, 0) / 6.0 AS "Value"
FROM
  nights
  CROSS JOIN half
  LEFT JOIN asleep ON asleep.day = nights.day
  AND asleep.slot = half.slot
WHERE $__timeFilter(nights.time)
ORDER BY nights.time, half.slot
