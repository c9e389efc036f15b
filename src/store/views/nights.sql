CREATE VIEW nights AS
SELECT calendar.day AS day, calendar.time AS time, main_sleep.document AS document,
       main_sleep.utc_offset AS utc_offset, bedtime_start, bedtime_end, time_in_bed,
       total_sleep_duration, deep_sleep_duration, rem_sleep_duration, light_sleep_duration, awake_time, efficiency, latency,
       restless_periods, average_heart_rate, lowest_heart_rate, average_hrv, average_breath,
       readiness_score, readiness_temperature_deviation AS temperature_deviation,
       -- The casts declare a type, so that comparisons with text work as for other columns.
       CAST((SELECT count(*) FROM sleep AS nap
        WHERE nap.day = calendar.day AND nap.document <> main_sleep.document
          AND coalesce(nap.type, '') NOT IN ('deleted', 'rest')
          AND nap.total_sleep_duration > 0) AS INTEGER) AS naps,
       CAST((SELECT coalesce(sum(nap.total_sleep_duration), 0) FROM sleep AS nap
        WHERE nap.day = calendar.day AND nap.document <> main_sleep.document
          AND coalesce(nap.type, '') NOT IN ('deleted', 'rest')) AS INTEGER) AS nap_duration
FROM calendar
JOIN main_sleep ON main_sleep.day = calendar.day
