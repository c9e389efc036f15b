CREATE VIEW samples AS
SELECT series.name AS series, samples_data.time AS time, samples_data.value AS value,
       samples_data.document AS document,
       oura_raw_documents.day AS day
FROM samples_data
JOIN series ON series.series = samples_data.series
LEFT JOIN oura_raw_documents ON oura_raw_documents.document = samples_data.document
