-- A heat map has no option for its words without data. They are the name of a row of zeros, which it does not draw.
SELECT hour AS "Hour", 0.0 AS " $empty"
FROM (SELECT 0 AS hour UNION ALL SELECT 23)
WHERE NOT EXISTS ($content)
ORDER BY 1
