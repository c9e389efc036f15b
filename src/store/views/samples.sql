CREATE VIEW samples AS
-- The day by a subquery and not by a join: so a CROSS JOIN with this view reads only the rows of its condition.
SELECT series.name AS series, samples_data.time AS time, samples_data.value AS value,
       samples_data.document AS document,
       (SELECT oura_raw_documents.day FROM oura_raw_documents
        WHERE oura_raw_documents.document = samples_data.document) AS day
FROM samples_data
JOIN series ON series.series = samples_data.series
