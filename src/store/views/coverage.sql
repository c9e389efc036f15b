CREATE VIEW coverage AS
SELECT collection, day, time, documents, state,
       -- Why the day has no documents: the first case that applies.
       CASE WHEN documents > 0 THEN NULL
            WHEN state IN ('not_fetched', 'partial') AND refusal = 'forbidden' THEN 'refused'
            WHEN state IN ('not_fetched', 'partial')
                 AND refusal IN ('scope_missing', 'membership_ended', 'not_available',
                                 'app_too_old', 'removed')
                 THEN refusal
            WHEN state IN ('not_fetched', 'partial')
                 AND EXISTS (SELECT 1 FROM sync_windows AS failed
                             WHERE failed.resource = days.collection AND failed.done_at IS NULL
                               AND failed.error IS NOT NULL
                               AND failed.from_day <= days.day AND failed.to_day >= days.day)
                 THEN 'failed'
            WHEN state = 'not_fetched' THEN 'not_fetched'
            WHEN NOT daily THEN 'empty'
            -- The phone's last sync, and the first day with a ring. The battery level does not
            -- count, because a ring on its charger sends it as well.
            WHEN day > (SELECT max(last_day) FROM collections WHERE name IN ({worn}))
                 THEN 'not_synced'
            WHEN day < (SELECT min(first_day) FROM collections WHERE name IN ({worn}))
                 THEN 'no_ring_yet'
            WHEN (SELECT level <= 5 AND time > days.time - 7 * 86400 FROM charge
                  WHERE charge.time < days.time + 86400 ORDER BY charge.time DESC LIMIT 1)
                 THEN 'battery_empty'
            WHEN EXISTS (SELECT 1 FROM coverage_data AS ring
                         WHERE ring.resource = 'ring_battery_level' AND ring.day = days.day
                           AND ring.documents = 0)
                 THEN 'ring_off'
            ELSE 'empty' END AS reason,
       fetched_at,
       -- Documents that could not be read completely.
       CAST((SELECT count(*) FROM oura_raw_documents AS raw
             WHERE raw.resource = days.collection AND raw.day = days.day
               AND raw.fault IS NOT NULL AND raw.deleted_at IS NULL) AS INTEGER) AS faulty
FROM (SELECT collections.name AS collection, calendar.day AS day, calendar.time AS time,
             coalesce(coverage_data.documents, 0) AS documents,
             CASE WHEN coverage_data.day IS NULL THEN 'not_fetched'
                  WHEN coverage_data.partial THEN 'partial'
                  WHEN coverage_data.documents = 0 THEN 'empty'
                  ELSE 'complete' END AS state,
             collections.state AS refusal,
             -- Recorded every day, so that an empty day is a gap. A day without a workout or a
             -- tag is none.
             collections.name IN ({daily}) AS daily,
             coverage_data.fetched_at AS fetched_at
      FROM collections
      CROSS JOIN calendar
      LEFT JOIN coverage_data ON coverage_data.resource = collections.name
                             AND coverage_data.day = calendar.day
      WHERE collections.state NOT IN ('ok', 'waiting')
         OR EXISTS (SELECT 1 FROM coverage_data AS any_day
                    WHERE any_day.resource = collections.name)) AS days
