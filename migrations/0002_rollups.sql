-- Rollups: minimum, maximum, sum and count of the values in each time bucket, so that a long range
-- reads few rows. `time` is the begin of the bucket, a multiple of its length since 1970 in UTC.
-- The mean is sum / count.

CREATE TABLE heartrate_5m (
    time    TIMESTAMP NOT NULL,
    source  TEXT NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sum     REAL NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (time, source)
) WITHOUT ROWID;

CREATE TABLE heartrate_1h (
    time    TIMESTAMP NOT NULL,
    source  TEXT NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sum     REAL NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (time, source)
) WITHOUT ROWID;

CREATE TABLE heartrate_1d (
    time    TIMESTAMP NOT NULL,
    source  TEXT NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sum     REAL NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (time, source)
) WITHOUT ROWID;

CREATE TABLE samples_1h_data (
    series  INTEGER NOT NULL,
    time    TIMESTAMP NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sum     REAL NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;

CREATE TABLE samples_1d_data (
    series  INTEGER NOT NULL,
    time    TIMESTAMP NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sum     REAL NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;

-- Queries select daily views by time.
CREATE INDEX calendar_by_time ON calendar (time);
