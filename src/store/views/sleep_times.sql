CREATE VIEW sleep_times AS
-- Seconds from the midnight before the night's morning, by the clock at the place of the wearer: -3600 is 23:00.
SELECT nights.day, nights.time, sleep.utc_offset, nights.naps,
       nights.total_sleep_duration + nights.nap_duration AS slept,
       nights.bedtime_start + sleep.utc_offset - unixepoch(nights.day) AS bedtime,
       nights.bedtime_start + coalesce(nights.latency, 0) + sleep.utc_offset - unixepoch(nights.day) AS onset,
       nights.bedtime_end + sleep.utc_offset - unixepoch(nights.day) AS wake,
       (nights.bedtime_start + coalesce(nights.latency, 0) + nights.bedtime_end) / 2
           + sleep.utc_offset - unixepoch(nights.day) AS midpoint,
       strftime('%w', nights.day) IN ('0', '6') AS free
FROM nights
JOIN sleep ON sleep.document = nights.document
