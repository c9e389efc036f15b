-- The state of the login and the size of the database, for the view sync_status. One row.
CREATE TABLE connection_data (
    only_row       INTEGER PRIMARY KEY CHECK (only_row = 1),
    state          TEXT NOT NULL,
    database_bytes INTEGER NOT NULL
);
