CREATE VIEW hypnogram AS
SELECT samples_data.time AS time, nights.day AS day,
       CASE CAST(samples_data.value AS INTEGER)
            WHEN 1 THEN 'deep' WHEN 2 THEN 'light' WHEN 3 THEN 'rem' WHEN 4 THEN 'awake'
            END AS stage,
       CAST(samples_data.value AS INTEGER) AS code
FROM nights
JOIN series ON series.name = 'sleep.sleep_phase_5_min'
JOIN samples_data ON samples_data.series = series.series AND samples_data.document = nights.document
     AND samples_data.time >= nights.bedtime_start AND samples_data.time <= nights.bedtime_end
