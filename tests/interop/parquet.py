"""Do DuckDB, pandas and pyarrow read an export as holdfast wrote it?

    python parquet.py EXPORT EXPECTED.json GUIDE.md

EXPECTED.json has, for every table, the names and the rows that were written; bytes are hex, times are milliseconds. The queries
of the guide are run too, and their results compared with what the same rows give here.
"""

import json
import os
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import pandas
import pyarrow.dataset
import pyarrow.parquet

DUCKDB_TYPES = {
    "UINT_64": "UBIGINT",
    "UINT_32": "UINTEGER",
    "STRING": "VARCHAR",
    "BOOLEAN": "BOOLEAN",
    "BYTE_ARRAY": "BLOB",
    "FIXED": "BLOB",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
}


def check(condition, message):
    if not condition:
        sys.exit(f"parquet.py: {message}")


def plain(value):
    """A value as the expectation has it."""
    if value is None or value is pandas.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, pandas.Timestamp) or hasattr(value, "timestamp"):
        stamp = pandas.Timestamp(value)
        check(stamp.utcoffset() is not None, f"{value} has no time zone")
        return stamp.value // 10**6 if stamp.unit == "ns" else round(stamp.timestamp() * 1000)
    if hasattr(value, "item"):
        return value.item()
    return value


def compare(tool, table, expected, found):
    check(len(found) == len(expected), f"{tool}: {len(found)} rows of {table}, not {len(expected)}")
    for i, (one, other) in enumerate(zip(expected, found)):
        other = [plain(value) for value in other]
        check(one == other, f"{tool}: row {i} of {table} is\n{other}\nnot\n{one}")


def check_duckdb(connection, name, table):
    source = f"read_parquet('{name}/*/*.parquet', hive_partitioning = true)"
    columns = ", ".join(f'"{column}"' for column, _ in table["columns"])
    types = connection.sql(f"DESCRIBE SELECT {columns} FROM {source}").fetchall()
    wanted = [(column, DUCKDB_TYPES[kind.split("(")[0]]) for column, kind in table["columns"]]
    check([(row[0], row[1]) for row in types] == wanted, f"DuckDB has other types for {name}: {types}, not {wanted}")
    order = table["columns"][0][0]
    compare("DuckDB", name, table["rows"], connection.sql(f'SELECT {columns} FROM {source} ORDER BY "{order}"').fetchall())
    days = connection.sql(f"SELECT DISTINCT date, CAST(time AT TIME ZONE 'UTC' AS DATE) FROM {source}").fetchall()
    check(days and all(str(folder) == str(day) for folder, day in days), f"DuckDB: folders and times of {name} differ: {days}")


def check_pandas(name, table):
    frame = pandas.read_parquet(name, dtype_backend="pyarrow")
    columns = [column for column, _ in table["columns"]]
    check(list(frame.columns) == columns + ["date"], f"pandas has other columns for {name}: {list(frame.columns)}")
    frame = frame.sort_values(columns[0])
    rows = list(frame[columns].itertuples(index=False, name=None))
    compare("pandas", name, table["rows"], rows)
    days = frame["time"].dt.strftime("%Y-%m-%d")
    check((days.astype(str) == frame["date"].astype(str)).all(), f"pandas: folders and times of {name} differ")


def check_pyarrow(name, table):
    for path in Path(name).glob("*/*.parquet"):
        labels = pyarrow.parquet.read_metadata(path).metadata
        check(labels[b"holdfast.table"] == name.encode(), f"{path} says it is of {labels}")
    found = pyarrow.dataset.dataset(name, partitioning="hive").to_table().sort_by(table["columns"][0][0])
    compare("pyarrow", name, table["rows"], columns_to_rows(found, table))


def columns_to_rows(found, table):
    return list(zip(*(found.column(column).to_pylist() for column, _ in table["columns"])))


def receipts_of(expected):
    names = [column for column, _ in expected["receipts"]["columns"]]
    return [dict(zip(names, row)) for row in expected["receipts"]["rows"]]


def guide_results(receipts):
    """What the three queries of the guide must give, computed without a database."""
    by_miner = defaultdict(list)
    for receipt in receipts:
        by_miner[receipt["miner"]].append(receipt)
    scores = []
    for miner, own in by_miner.items():
        outcomes = Counter(receipt["outcome"] for receipt in own)
        largest = [max(receipt[column] for receipt in own) for column in ("proven_space_bytes", "proven_object_bytes")]
        scores.append((miner, len(own), round(outcomes["accepted"] / len(own), 3), outcomes["rejected"], *largest))
    scores.sort(key=lambda row: (-row[2], row[0]))
    day = lambda receipt: pandas.Timestamp(receipt["time"], unit="ms").strftime("%Y-%m-%d")
    misses = Counter((day(receipt), receipt["miner"]) for receipt in receipts if receipt["outcome"] == "missed")
    misses = sorted(((*key, count) for key, count in misses.items()), key=lambda row: (row[0], -row[2], row[1]))
    latencies = []
    for kind in sorted({receipt["kind"] for receipt in receipts}):
        own = sorted(r["latency_ms"] for r in receipts if r["kind"] == kind and r["latency_ms"] is not None)
        quantiles = [own[max(0, -(-len(own) * percent // 100) - 1)] for percent in (50, 95, 99)]
        latencies.append((kind, len(own), *quantiles))
    return [scores, misses, latencies]


def check_guide(connection, guide, receipts):
    queries = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)
    results = guide_results(receipts)
    check(len(queries) == len(results), f"the guide has {len(queries)} queries, not {len(results)}")
    for query, expected in zip(queries, results):
        rows = [tuple(str(v) if hasattr(v, "isoformat") else v for v in row) for row in connection.sql(query).fetchall()]
        check(rows == expected, f"a query of the guide gives\n{rows}\nnot\n{expected}\n{query}")


def main():
    export, expected, guide = (Path(argument).resolve() for argument in sys.argv[1:4])
    expected, guide = json.loads(expected.read_text()), guide.read_text()
    os.chdir(export)
    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    for name, table in expected.items():
        check_duckdb(connection, name, table)
        check_pandas(name, table)
        check_pyarrow(name, table)
    check_guide(connection, guide, receipts_of(expected))
    rows = sum(len(table["rows"]) for table in expected.values())
    print(f"{rows} rows of {len(expected)} tables and the guide's queries, by DuckDB {duckdb.__version__}, "
          f"pandas {pandas.__version__} and pyarrow {pyarrow.__version__}")


main()
