"""Runs the statements of `lake ddl` and of docs/lake.md in each engine that is installed.

Usage: statements.py DOCUMENT [--duckdb FILE] [--clickhouse FILE] [--spark FILE] [--spark-master ADDRESS]
           [--trino FILE --trino-port PORT]

Each FILE has the output of `lake ddl --for ENGINE`. The current folder contains the lake as `lake`, as the
document assumes. All engines have to give the same answer as pandas. Prints one line for each engine, and
ends with status 1 at a difference. Engines that are missing are skipped in words.
"""

import argparse
import contextlib
import io
import re

from sessions import leave, spark_session, trino_connection, trino_query

parser = argparse.ArgumentParser()
parser.add_argument("document")
for engine in ("duckdb", "clickhouse", "spark", "trino"):
    parser.add_argument(f"--{engine}")
parser.add_argument("--spark-master", default="local[2]")
parser.add_argument("--trino-port", type=int)
arguments = parser.parse_args()
document = open(arguments.document).read()


def statement(engine):
    """The statement of the engine in the document's table."""
    return re.search(rf"^\| {engine} \| `([^`]*)`", document, re.MULTILINE).group(1)


def ddl(file):
    """The statements of `lake ddl`, without comments."""
    lines = [line for line in open(file) if not line.startswith("--")]
    return [part.strip() for part in "".join(lines).split(";") if part.strip()]


def hours(rows):
    """The mean hours by month, rounded for a comparison."""
    return {month: round(float(mean), 6) for month, mean in rows if mean is not None}


def blocks():
    """Runs the Python blocks of the document. Returns the mean hours by month that pandas computes."""
    space = {}
    for code in re.findall(r"```python\n(.*?)```", document, re.DOTALL):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, arguments.document, "exec"), space)
        if not re.search(r"\d{4}-\d\d", printed.getvalue()):
            raise SystemExit(f"a block prints no month: {printed.getvalue()}")
        if "hours" in space:
            table = space.pop("hours")
            months = space["nights"]["month"]
            answer = hours(table.groupby(months).mean().items())
    return answer


def duckdb():
    import duckdb
    from duckdb_extensions import import_extension

    # Its own server for extensions is no package registry.
    import_extension("delta")
    connection = duckdb.connect()
    for line in ddl(arguments.duckdb):
        connection.execute(line)
    return hours(connection.execute(statement("DuckDB")).fetchall())


def clickhouse():
    from chdb.session import Session

    session = Session()
    for line in ddl(arguments.clickhouse):
        session.query(line)
    found = session.query(statement("ClickHouse"), "TabSeparated")
    return hours(line.split("\t") for line in str(found).splitlines())


def spark():
    session = spark_session(arguments.spark_master)
    for line in ddl(arguments.spark):
        session.sql(line)
    return hours(tuple(row) for row in session.sql(statement("Spark")).collect())


def trino():
    connection = trino_connection(arguments.trino_port)
    for line in ddl(arguments.trino):
        trino_query(connection, line)
    _, days = trino_query(connection, statement("Grafana"))
    if not days or [day for day, _ in days] != sorted(day for day, _ in days):
        raise SystemExit(f"the panel has no days in order: {days}")
    return hours(trino_query(connection, statement("Trino"))[1])


wanted = blocks()
print(f"pandas: {len(wanted)} months")
failed = not wanted
for name, run in (("duckdb", duckdb), ("clickhouse", clickhouse), ("spark", spark), ("trino", trino)):
    if getattr(arguments, name) is None:
        continue
    try:
        found = run()
    except ImportError as error:
        print(f"{name}: skipped, because {error.name} is not installed")
        continue
    same = found == wanted
    print(f"{name}: {len(found)} months, {'the same' if same else f'{found} instead of {wanted}'}")
    failed = failed or not same
for name in ("athena", "bigquery"):
    print(f"{name}: skipped, because it is a service that is not installed")
leave(failed)
