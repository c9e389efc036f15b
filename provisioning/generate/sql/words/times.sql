-- A heat map has no option for its words without data. They are the name of a row of zeros, which it does not draw.
SELECT time, 0.0 AS " $empty"
FROM (SELECT $__timeFrom() AS time UNION ALL SELECT $__timeTo())
WHERE NOT EXISTS ($content)
ORDER BY time
