-- Documents that are not stored exactly as their JSON says: text that is not Unicode, numbers that
-- do not fit, bytes that are not UTF-8.

-- Why the document could not be read completely: not_an_object, text, number, nesting, encoding,
-- syntax, too_long. NULL for ordinary documents.
ALTER TABLE oura_raw_documents ADD COLUMN fault TEXT;

-- The bytes as received, if they are not valid JSON text. `payload` is the readable part then.
ALTER TABLE oura_raw_documents ADD COLUMN original BLOB;

CREATE INDEX oura_raw_documents_faulty ON oura_raw_documents (resource, day)
    WHERE fault IS NOT NULL;

-- The number of stored documents with a fault.
ALTER TABLE collections ADD COLUMN faulty INTEGER NOT NULL DEFAULT 0;

-- Former versions stored all unreadable documents of a collection as one, under the hash of
-- nothing. Its days are fetched again, which brings back the others.
DELETE FROM coverage_data WHERE resource IN (
    SELECT resource FROM oura_raw_documents
    WHERE document_id = 'sha256:74234e98afe7498fb5daf1f36ac2d78a');
