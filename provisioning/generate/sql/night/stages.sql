WITH
  night AS (SELECT max(day) AS day FROM nights WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start)
SELECT time * 1000 AS milliseconds, stage AS "Stage" FROM hypnogram JOIN night USING (day)
UNION ALL
-- A state lasts until the next one, so the end of the night needs a row of its own.
SELECT bedtime_end * 1000, NULL FROM nights JOIN night USING (day)
ORDER BY 1
