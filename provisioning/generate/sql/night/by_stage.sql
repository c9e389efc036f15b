WITH
  this AS (
    SELECT *
    FROM nights
    WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
    ORDER BY day DESC
    LIMIT 1
  ),
  five AS (
    SELECT
      (samples.time - this.bedtime_start) / 300 AS place,
      max(iif(series = 'sleep.sleep_phase_5_min', value, NULL)) AS stage,
      max(iif(series = 'sleep.heart_rate', value, NULL)) AS heart,
      max(iif(series = 'sleep.hrv', value, NULL)) AS hrv
    FROM
      this
      JOIN samples ON samples.document = this.document
      AND samples.series IN ('sleep.sleep_phase_5_min', 'sleep.heart_rate', 'sleep.hrv')
      AND samples.time BETWEEN this.bedtime_start AND this.bedtime_end
    GROUP BY 1
  )
SELECT
  CASE stage
    WHEN 1 THEN 'Deep'
    WHEN 2 THEN 'Light'
    WHEN 3 THEN 'REM'
    WHEN 4 THEN 'Awake'
  END AS "Stage",
  avg(heart) AS "Heart rate",
  avg(hrv) AS "HRV",
  count(*) * 300 AS "Duration"
FROM five
WHERE stage IS NOT NULL
GROUP BY stage
