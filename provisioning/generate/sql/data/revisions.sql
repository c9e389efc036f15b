SELECT local_midnight(local_day(changed_at)) AS time, count(*) AS "Revised"
FROM oura_raw_documents
WHERE
  revision > 1
  AND $__timeFilter(changed_at)
GROUP BY 1
ORDER BY 1
