SELECT coverage.collection AS "Collection", collections.state AS "State", sum(coverage.documents) AS "Documents",
       sum(coverage.state = 'complete') AS "Complete days", sum(coverage.state = 'empty') AS "Empty days",
       sum(coverage.state = 'partial') AS "May change", sum(coverage.state = 'not_fetched') AS "Not fetched",
       max(coverage.fetched_at) * 1000 AS "Fetched", collections.reason AS "Reason"
FROM coverage
JOIN collections ON collections.name = coverage.collection
WHERE $__timeFilter(coverage.time)
GROUP BY coverage.collection
ORDER BY coverage.collection