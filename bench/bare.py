"""What the figures are held against: the least that could be done, in a process of its own.

`python -m bench.bare round-trips URL COUNT`: seconds of bare requests over a kept connection, as JSON.
`python -m bench.bare send URL CHAT,CHAT,...`: a message to each chat, 28 a second; the seconds it took.
"""

from __future__ import annotations

import json
import sys
import time

import requests

PER_SECOND = 28


def round_trips(session: requests.Session, url: str, count: int) -> list[float]:
    """Seconds of `count` requests."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        session.get(url, timeout=5)
        taken.append(time.perf_counter() - began)
    return taken


def send(session: requests.Session, url: str, chats: list[int]) -> float:
    """Seconds a loop needs that does nothing but send at Telegram's pace."""
    began = time.perf_counter()
    for number, chat in enumerate(chats):
        time.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        session.post(url, json={"chat_id": chat, "text": "A slot is free."}, timeout=5).raise_for_status()
    return time.perf_counter() - began


def knock(url: str) -> None:
    """One request and nothing else; as a task, it shows what the queue itself takes."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(url, timeout=5)


def main(arguments: list[str]) -> None:
    """Print the result as JSON."""
    what, url, rest = arguments
    with requests.Session() as session:
        session.trust_env = False
        if what == "round-trips":
            result: object = round_trips(session, url, int(rest))
        else:
            result = send(session, url, [int(chat) for chat in rest.split(",")])
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
