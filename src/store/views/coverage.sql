CREATE VIEW coverage AS
SELECT collections.name AS collection, calendar.day AS day, calendar.time AS time,
       coalesce(coverage_data.documents, 0) AS documents,
       CASE WHEN coverage_data.day IS NULL THEN 'not_fetched'
            WHEN coverage_data.partial THEN 'partial'
            WHEN coverage_data.documents = 0 THEN 'empty'
            ELSE 'complete' END AS state,
       coverage_data.fetched_at AS fetched_at
FROM collections
CROSS JOIN calendar
LEFT JOIN coverage_data ON coverage_data.resource = collections.name AND coverage_data.day = calendar.day
WHERE EXISTS (SELECT 1 FROM coverage_data AS any_day WHERE any_day.resource = collections.name)
