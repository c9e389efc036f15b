SELECT
  last_sync * 1000 AS "Last sync",
  (
    SELECT max(last_day)
    FROM collections
    WHERE name LIKE 'daily%'
  ) AS "Newest day",
  collections_failing AS "With trouble",
  (
    SELECT level
    FROM ring_battery_level
    ORDER BY time DESC
    LIMIT 1
  ) AS "Battery"
FROM sync_status
