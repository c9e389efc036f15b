SELECT tag AS "Tag", count(*) AS "Days", max(day) AS "Last"
FROM tag_days
WHERE $__dayFilter(day)
GROUP BY tag
ORDER BY 2 DESC, 1
LIMIT 30
