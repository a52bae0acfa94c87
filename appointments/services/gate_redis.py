"""The gate's ledger in Redis, for many hosts: faster than the shared database and out of its way.

What may be called is decided in `limits`, as for the database; Redis only makes sure that nobody writes over
somebody else's change. So there is one arithmetic, and the script has nothing to get wrong.
"""

import json

import redis

from appointments.limits import Ledger
from appointments.services.gate_stores import (
    DatabaseLedger,
    LedgerUnreachable,
    as_json,
    from_json,
    write_mirror,
)

# Redis runs a script as one step. A ledger that is not there (a fresh Redis) may be written by the first who comes.
SWAP = """
local version = redis.call('HGET', KEYS[1], 'version')
if version and version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'ledger', ARGV[3])
return 1
"""
CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 2.0


class RedisLedger:
    """The ledger of one address under one key. A Redis that lost it starts from what the database shows."""

    def __init__(self, egress: str, url: str) -> None:
        self.egress = egress
        self.key = f"termin:gate:{egress}"
        self._redis = redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
        )
        self._swap = self._redis.register_script(SWAP)

    def read(self) -> tuple[Ledger, int]:
        """One HMGET."""
        try:
            version, ledger = self._redis.hmget(self.key, "version", "ledger")
        except redis.RedisError as error:
            raise LedgerUnreachable(type(error).__name__) from None
        if version is None or ledger is None:
            return DatabaseLedger(self.egress).read()
        return from_json(json.loads(ledger)), int(version)

    def swap(self, before: Ledger, version: int, after: Ledger) -> bool:
        """One EVALSHA."""
        try:
            done = self._swap(keys=[self.key], args=[version, version + 1, json.dumps(as_json(after))])
        except redis.RedisError as error:
            raise LedgerUnreachable(type(error).__name__) from None
        return bool(done)

    def mirror(self, book: Ledger, version: int) -> None:
        """After each answer, never while one is awaited."""
        write_mirror(self.egress, book, version)
