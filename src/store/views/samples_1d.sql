CREATE VIEW samples_1d AS
SELECT series.name AS series, time, minimum, maximum, sum, count
FROM samples_1d_data AS data
JOIN series ON series.series = data.series
