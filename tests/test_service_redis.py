"""The adopted shop as it is deployed: a Redis server, and a worker with several processes, or threads."""

from __future__ import annotations

from pathlib import Path

from real_parts import need
from redis_server import RedisServer
from service import page
from service.running import Service
from service.visits import a_day

from purposebind.ledger import Ledger

need("redis-server")


def test_the_adopted_shop_in_a_worker_of_many(tmp_path: Path) -> None:
    """A ledger that lost what forked processes, or threads, read would count too few, and nobody would know."""
    with RedisServer() as server:
        for number, pool in ((5, "prefork"), (6, "threads")):
            tree = page.built(number, tmp_path / "srv")
            with Service(tree, tmp_path / "data", server.url, (pool, "--concurrency", "2")) as service:
                matched, exported = a_day(service)
            assert (matched.status_code, exported) == ((200, "SUCCESS") if number == 5 else (403, "FAILURE"))
        everything = server.ever_sent()
    with Ledger(tmp_path / "data" / "ledger") as ledger:
        affected = ledger.affected(purpose="advertising", decision="observed")
        assert (affected.people, affected.reads, affected.unknown_reads) == (40, 81, 1)
        assert ledger.affected(field="Account", decision="denied").people == 1
        received = ledger.affected(field="Order", purpose="orders", decision="allowed")
        assert received.people == 2
        assert {use.field for use in ledger.denials()} == {"Account.phone", "Account.email"}
        assert not ledger.damage()
    assert b"a piano" in everything, "nothing of the orders was looked at"
    for secret in (b"@example.com", b"Street", b"+1555"):
        assert secret not in everything
