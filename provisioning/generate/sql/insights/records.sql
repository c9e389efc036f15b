SELECT * FROM (SELECT 'Highest HRV' AS "Record", format('%.0f ms', average_hrv) AS "Value", day AS "Day"
               FROM nights WHERE average_hrv IS NOT NULL ORDER BY average_hrv DESC LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Lowest heart rate', format('%.0f bpm', lowest_heart_rate), day
               FROM nights WHERE lowest_heart_rate IS NOT NULL ORDER BY lowest_heart_rate LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Longest sleep', format('%.1f h', total_sleep_duration / 3600.0), day
               FROM nights WHERE total_sleep_duration IS NOT NULL ORDER BY total_sleep_duration DESC LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Most steps', format('%,d', steps), day
               FROM daily_activity WHERE steps IS NOT NULL ORDER BY steps DESC LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Best sleep score', format('%.0f', score), day
               FROM daily_sleep WHERE score IS NOT NULL ORDER BY score DESC LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Best readiness', format('%.0f', score), day
               FROM daily_readiness WHERE score IS NOT NULL ORDER BY score DESC LIMIT 1)
UNION ALL SELECT * FROM (SELECT 'Highest VO2 max', format('%.1f', vo2_max), day
               FROM vo2_max WHERE vo2_max IS NOT NULL ORDER BY vo2_max DESC LIMIT 1)
