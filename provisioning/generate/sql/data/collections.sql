SELECT
  coverage.collection AS "Collection",
  collections.state AS "State",
  collections.first_day AS "First day",
  collections.last_day AS "Last day",
  sum(coverage.documents) AS "Documents",
  100.0 * avg(coverage.documents > 0) AS "Days with data",
  sum(coverage.state = 'not_fetched') AS "Not fetched",
  max(coverage.fetched_at) * 1000 AS "Fetched",
  collections.reason AS "Reason"
FROM
  coverage
  JOIN collections ON collections.name = coverage.collection
WHERE $__timeFilter(coverage.time)
GROUP BY 1
ORDER BY 1
