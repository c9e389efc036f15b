SELECT (time - min(time) OVER ()) / 3600.0 AS "In bed", code AS "Stage"
FROM hypnogram
WHERE day = (SELECT max(day) FROM nights WHERE $__timeFilter(time))
ORDER BY time