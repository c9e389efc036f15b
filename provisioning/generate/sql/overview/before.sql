-- The values of an earlier range, drawn as many days later. No row if the variable is 0.
SELECT local_midnight(date(day, '+' || days || ' days')) AS time, $column AS "Before"
FROM $table
JOIN (SELECT CAST('$compare' AS INTEGER) AS days) ON days > 0
WHERE $column IS NOT NULL
  AND day BETWEEN date($__dayFrom(), '-' || days || ' days') AND date($__dayTo(), '-' || days || ' days')
ORDER BY day
