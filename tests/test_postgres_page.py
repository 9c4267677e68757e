"""The how-to about roles, with a server: each example runs and prints what the page says, its SQL too.

`python test_postgres_page.py FOLDER HOST DATABASE` is the process that runs them, as test_docs.py has one: purposes
are declared for a whole process.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
from postgres_server import running
from real_parts import need
from sqlalchemy import create_engine
from test_docs import _examples

_BIN = need("initdb").resolve().parent  # where psql is too
PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "postgres-roles.md"

_MODELS = re.compile(r"^```python\n(# /srv/shop/models\.py\n.*?)^```$", re.MULTILINE | re.DOTALL)
_SKIP = re.compile(r"^<!-- skip: (?:start|end) -->\n", re.MULTILINE)
_SQL = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_URL = re.compile(r"(postgresql(?:\+\w+)?://\w+@)db\.example/shop")


def _page(host: str, database: str) -> str:
    """The page as a reader follows it: nothing is skipped, its SQL is applied, its server is the one there is."""
    text = _SKIP.sub("", PAGE.read_text(encoding="utf-8"))
    found = _MODELS.search(text)
    assert found is not None
    Path("models.py").write_text(found[1], encoding="utf-8")
    command = 'psql -q -v ON_ERROR_STOP=1 "$PURPOSEBIND_POSTGRES_URL"'

    def applied(block: re.Match[str]) -> str:
        file = Path(f"{block.start()}.sql")
        file.write_text(block[1], encoding="utf-8")
        return f"```console\n$ {command} -f {file}\n```"

    text = _SQL.sub(applied, text)
    return _URL.sub(lambda url: f"{url[1]}/{database}?host={host}", text)


def test_the_page(tmp_path: Path) -> None:
    """Grants that somebody copies from a page, and that open more than the page says, are worse than none."""
    server = running()
    name = server.new_database().rpartition("dbname=")[2]
    with server.connect(name) as connection:
        connection.execute("CREATE ROLE shop_owner LOGIN CREATEROLE; CREATE ROLE shop_app LOGIN")
        connection.execute(
            psycopg.sql.SQL("ALTER DATABASE {} OWNER TO shop_owner").format(psycopg.sql.Identifier(name))
        )
    here = os.pathsep.join([str(Path(__file__).parent), str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(_BIN), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": here,
    }
    command = [sys.executable, "-W", "error", __file__, str(tmp_path), str(server.folder), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _run(host: str, database: str) -> None:
    page = Path("postgres-roles.md")
    page.write_text(_page(host, database), encoding="utf-8")
    document = _examples(page)
    for example in document:
        example.evaluate()
        base = document.namespace.get("Base")
        if base is not None and not Path("made").exists():
            # What the page takes for granted: the tables are there.
            engine = create_engine(f"postgresql+psycopg://shop_owner@/{database}?host={host}")
            base.metadata.create_all(engine)
            engine.dispose()
            Path("made").touch()
    document.namespace["engine"].dispose()


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    _run(*sys.argv[2:])
