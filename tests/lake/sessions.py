"""The sessions of engines that are servers, and the end of a process that used engines."""

import os
import sys
import time


def spark_session(master):
    """A session with Delta's extension at a Spark master, for example `local[2]`."""
    from delta import configure_spark_with_delta_pip
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master(master)
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
    )
    return configure_spark_with_delta_pip(builder).getOrCreate()


def trino_connection(port):
    """A connection to Trino on this machine, with the lake as its catalogue."""
    from trino.dbapi import connect

    return connect(host="127.0.0.1", port=port, user="test", catalog="lake", schema="ringside")


def trino_query(connection, statement):
    """Returns the names of the columns, and the rows."""
    from trino.exceptions import TrinoQueryError

    for attempt in range(120):
        cursor = connection.cursor()
        try:
            rows = cursor.execute(statement).fetchall()
            return [column.name for column in cursor.description or []], rows
        except TrinoQueryError as error:
            # In its first seconds, a server runs statements and has no node for a catalogue's tables.
            if error.error_name != "NO_NODES_AVAILABLE":
                raise
            failure = error
        time.sleep(0.5)
    raise failure


def leave(failed):
    """Ends the process without destructors: at times, those of deltalake abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(failed)
