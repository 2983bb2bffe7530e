"""Databases that a query is run in: each takes rows and gives back the last columns of what the query finds."""

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from leaving import arrow

TABLE = 'the "rows"; --'


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def as_numbers(rows, count):
    return np.array([[np.nan if value is None else value for value in row[-count:]] for row in rows], dtype=np.float64)


def in_duckdb(query, rows, kinds, count):
    with duckdb.connect() as base:
        base.register(TABLE, arrow(rows, kinds))
        return as_numbers(base.execute(query).fetchall(), count)


def in_sqlite(query, rows, kinds, count):
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.execute(f"CREATE TABLE {quoted(TABLE)} ({', '.join(map(quoted, rows))})")
        values = [[str(v) if v is not None and kinds[n] == "date" else v for v in vs] for n, vs in rows.items()]
        base.executemany(
            f"INSERT INTO {quoted(TABLE)} VALUES ({', '.join('?' * len(rows))})", list(zip(*values, strict=True))
        )
        return as_numbers(base.execute(query).fetchall(), count)


_TYPES = {"number": "double precision", "whole": "bigint", "boolean": "boolean", "text": "text", "date": "timestamp"}


def in_postgres(connection, query, rows, kinds, count):
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        columns = ", ".join(f"{quoted(name)} {_TYPES[kinds[name]]}" for name in rows)
        cursor.execute(f"CREATE TEMPORARY TABLE {quoted(TABLE)} ({columns})".encode())
        with cursor.copy(f"COPY {quoted(TABLE)} FROM STDIN".encode()) as copy:
            for row in zip(*rows.values(), strict=True):
                copy.write_row(row)
        return as_numbers(cursor.execute(query.encode()).fetchall(), count)


def postgres_programs():
    """The folder of initdb and postgres, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    found = [*found, Path(here)] if here else found
    return found[-1].resolve().parent if found else None


@contextlib.contextmanager
def postgres():
    """A server of its own, on a socket in a new folder, and a connection to it; it may not run as root."""
    import psycopg

    programs = postgres_programs()
    user = getpass.getuser() if os.getuid() else "nobody"
    who = {"user": user} if not os.getuid() else {}
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")
    if who:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    server = None
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **who}
        make = [programs / "initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C"]
        subprocess.run([*make, "--no-sync"], check=True, timeout=100, **quiet)
        settings = [f"-cunix_socket_directories={folder}", "-clisten_addresses=", "-cfsync=off"]
        server = subprocess.Popen([programs / "postgres", "-D", f"{folder}/data", *settings], **quiet)
        with _connected(psycopg, folder) as connection:
            yield connection
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # the fast way to stop
            server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _connected(psycopg, folder):
    for _ in range(200):
        try:
            return psycopg.connect(host=folder, user="tester", dbname="postgres", autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise TimeoutError("the server does not answer")
