"""Measures a cohort question: the mean heart rate of all people of a lake by month.

Usage: cohort.py PLACE [--spark-master ADDRESS] [--runs NUMBER]

DuckDB has two threads. Prints the seconds of each run, and ends with status 1 if the engines differ.
"""

import argparse
import sys
import time

from duckdb_extensions import import_extension
from sessions import spark_session

import duckdb

parser = argparse.ArgumentParser()
parser.add_argument("place")
parser.add_argument("--spark-master", default="local[2]")
parser.add_argument("--runs", type=int, default=5)
arguments = parser.parse_args()
place = f"{arguments.place.rstrip('/')}/heartrate"
QUESTION = "SELECT month, count(*), avg(bpm) FROM heartrate GROUP BY month ORDER BY month"


def measure(name, ask):
    """Asks several times. Returns the answer."""
    seconds = []
    for _ in range(arguments.runs):
        start = time.monotonic()
        rows = [tuple(row) for row in ask()]
        seconds.append(time.monotonic() - start)
    print(f"{name}: {len(rows)} months, {sum(row[1] for row in rows):,} rows, seconds:",
          ", ".join(f"{value:.2f}" for value in seconds), flush=True)
    return [(month, count, round(mean, 9)) for month, count, mean in rows]


# Its own server for extensions is no package registry.
import_extension("delta")
connection = duckdb.connect()
connection.execute("SET threads = 2; LOAD delta")
connection.execute(f"CREATE VIEW heartrate AS SELECT * FROM delta_scan('{place}')")
wanted = measure("duckdb", lambda: connection.execute(QUESTION).fetchall())
connection.close()

session = spark_session(arguments.spark_master)
session.read.format("delta").load(place).createOrReplaceTempView("heartrate")
found = measure("spark", lambda: session.sql(QUESTION).collect())
sys.exit(found != wanted)
