WITH
  this AS (
    SELECT *
    FROM nights
    WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
    ORDER BY day DESC
    LIMIT 1
  ),
  past AS (
    SELECT nights.*
    FROM nights, this
    WHERE nights.day BETWEEN date(this.day, '-28 days') AND date(this.day, '-1 day')
  )
SELECT
  'Deep' AS "Stage",
  deep_sleep_duration AS "This night",
  (
    SELECT iif(count(*) >= 7, median(deep_sleep_duration), NULL)
    FROM past
  ) AS "Usual"
FROM this
UNION ALL
SELECT
  'REM',
  rem_sleep_duration,
  (
    SELECT iif(count(*) >= 7, median(rem_sleep_duration), NULL)
    FROM past
  )
FROM this
UNION ALL
SELECT
  'Light',
  light_sleep_duration,
  (
    SELECT iif(count(*) >= 7, median(light_sleep_duration), NULL)
    FROM past
  )
FROM this
UNION ALL
SELECT
  'Awake',
  awake_time,
  (
    SELECT iif(count(*) >= 7, median(awake_time), NULL)
    FROM past
  )
FROM this
