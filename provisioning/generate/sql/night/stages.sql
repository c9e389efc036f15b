WITH
  night AS (SELECT max(day) AS day FROM nights WHERE $__timeFilter(bedtime_end)),
  shown AS (
    SELECT time, stage FROM hypnogram JOIN night USING (day)
    UNION ALL
    -- A state lasts until the next one, so the end of the night needs a row of its own.
    SELECT bedtime_end, NULL FROM nights JOIN night USING (day)
  )
SELECT time, stage AS "Stage" FROM shown
UNION ALL
SELECT $__timeFrom(), '$empty' WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1
