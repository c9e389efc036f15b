WITH
  revised AS (
    SELECT local_day(changed_at) AS day, count(*) AS documents
    FROM oura_raw_documents
    WHERE
      revision > 1
      AND $__timeFilter(changed_at)
    GROUP BY 1
  )
-- Days without a revision keep the bars as narrow as a day.
SELECT calendar.time, coalesce(revised.documents, 0) AS "Revised"
FROM
  calendar
  LEFT JOIN revised ON revised.day = calendar.day
WHERE
  $__dayFilter(calendar.day)
  AND EXISTS (SELECT 1 FROM revised)
ORDER BY 1
