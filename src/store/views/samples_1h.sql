CREATE VIEW samples_1h AS
SELECT series.name AS series, time, minimum, maximum, sum, count
FROM samples_1h_data AS data
JOIN series ON series.series = data.series
