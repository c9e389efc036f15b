"""Compares the tables of a lake with the SQLite files, in each engine that is installed.

Usage: compare.py PLACE DATABASE... [--engines deltalake,polars,duckdb,spark,trino]

Counts, sums of numbers, and a checksum of texts of every table have to be equal. Prints one line for
each engine, and ends with status 1 at a difference. Engines that are missing are skipped in words.
"""

import argparse
import os
import sqlite3
import zlib

from sessions import leave, spark_session, trino_connection, trino_query

parser = argparse.ArgumentParser()
parser.add_argument("place")
parser.add_argument("databases", nargs="+")
parser.add_argument("--engines", default="deltalake,polars,duckdb,spark")
parser.add_argument("--spark-master", default="local[2]")
parser.add_argument("--trino-port", type=int)
arguments = parser.parse_args()

# Delta's own columns, and those that only the lake has.
LAKE_ONLY = {"person", "month", "shard"}
# Columns that name a person stay out of the lake.
IDENTIFYING = {("personal_info", "email"), ("personal_info", "id")}


def storage_options():
    """The settings of S3 from the environment, as delta-rs and Polars name them."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def columns_of(connection, table):
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return {name: kind.upper() for name, kind in rows if (table, name) not in IDENTIFYING}


def kind_of(declared):
    if declared in ("TIMESTAMP", "DATE", "BOOLEAN"):
        return declared
    if "INT" in declared or declared in ("REAL", "NUM", ""):
        return "NUMBER"
    return "TEXT"


def checksum(texts):
    """A checksum that does not depend on the order."""
    return sum(zlib.crc32(text.encode()) for text in texts)


def expected(table):
    """The count, and for each column the number of values and their sum, in the databases."""
    total = {"rows": 0}
    for path in arguments.databases:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for name, declared in columns_of(connection, table).items():
            kind = kind_of(declared)
            values = [row[0] for row in connection.execute(f'SELECT "{name}" FROM "{table}"')]
            present = [value for value in values if value is not None]
            if kind in ("TEXT", "DATE"):
                found = checksum(map(str, present))
            else:
                found = sum(float(value) for value in present)
            count, known = total.get(name, (0, 0))
            total[name] = (count + len(present), known + found)
            rows = len(values)
        total["rows"] += rows
        connection.close()
    return total


def measured(arrow_table):
    """The same of an Arrow table."""
    import pyarrow as arrow
    import pyarrow.compute as compute

    total = {"rows": arrow_table.num_rows}
    for name in arrow_table.column_names:
        if name in LAKE_ONLY:
            continue
        column = arrow_table[name]
        count = len(column) - column.null_count
        if arrow.types.is_timestamp(column.type):
            # Whole seconds since 1970.
            numbers = column.cast(arrow.timestamp("us", column.type.tz)).cast(arrow.int64()).cast(arrow.float64())
            found = (compute.sum(numbers).as_py() or 0) / 1e6
        elif arrow.types.is_date(column.type):
            found = checksum(str(value) for value in column.to_pylist() if value is not None)
        elif arrow.types.is_boolean(column.type):
            found = float(compute.sum(column.cast(arrow.int64())).as_py() or 0)
        elif arrow.types.is_integer(column.type) or arrow.types.is_floating(column.type):
            found = float(compute.sum(column.cast(arrow.float64())).as_py() or 0)
        else:
            found = checksum(value for value in column.to_pylist() if value is not None)
        total[name] = (count, found)
    return total


def differences(table, wanted, found):
    for name, value in wanted.items():
        other = found.get(name)
        if name == "rows" or other is None:
            same = value == other
            # A column that only the lake derives is compared by its own count.
        else:
            tolerance = max(1e-6, abs(value[1]) * 1e-9)
            same = value[0] == other[0] and abs(value[1] - other[1]) <= tolerance
        if not same:
            yield f"{table}.{name}: {value} in SQLite, {other} in the lake"


def tables():
    connection = sqlite3.connect(f"file:{arguments.databases[0]}?mode=ro", uri=True)
    names = [row[0] for row in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%document INTEGER PRIMARY KEY, time TIMESTAMP%'"
        " OR name IN ('heartrate', 'ring_battery_level', 'samples', 'days', 'nights') ORDER BY name")]
    return names


def at(table):
    return f"{arguments.place.rstrip('/')}/{table}"


def delta_rs():
    from deltalake import DeltaTable

    return lambda table: DeltaTable(at(table), storage_options=storage_options()).to_pyarrow_table()


def polars():
    import polars

    return lambda table: polars.scan_delta(at(table), storage_options=storage_options()).collect().to_arrow()


def duckdb():
    """DuckDB over the files that the log names: its extension for Delta is not a package."""
    import duckdb
    from deltalake import DeltaTable

    def read(table):
        lake = DeltaTable(at(table), storage_options=storage_options()).to_pyarrow_dataset()
        return duckdb.sql("SELECT * FROM lake").to_arrow_table()

    return read


def spark():
    session = spark_session(arguments.spark_master)
    return lambda table: session.read.format("delta").load(at(table)).toArrow()


def trino():
    """Trino after the statements of `lake ddl`."""
    import pyarrow as arrow

    connection = trino_connection(arguments.trino_port)

    def read(table):
        names, rows = trino_query(connection, f"SELECT * FROM {table}")
        columns = zip(*rows) if rows else [[] for _ in names]
        return arrow.table([arrow.array(list(column)) for column in columns], names=names)

    return read


ENGINES = {"deltalake": delta_rs, "polars": polars, "duckdb": duckdb, "spark": spark, "trino": trino}

failed = False
wanted = {table: expected(table) for table in tables()}
for name in arguments.engines.split(","):
    try:
        read = ENGINES[name]()
    except ImportError as error:
        print(f"{name}: skipped, because {error.name} is not installed")
        continue
    found = [line for table in wanted for line in differences(table, wanted[table], measured(read(table)))]
    for line in found:
        print(f"{name}: {line}")
    rows = sum(value["rows"] for value in wanted.values())
    print(f"{name}: {len(wanted)} tables, {rows} rows, {len(found)} differences")
    failed = failed or bool(found)
leave(failed)
