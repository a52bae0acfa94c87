"""A person at the chat page, and what they can see of the sandbox; over HTTP, as checks from outside do it."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests

MUNICH = ZoneInfo("Europe/Berlin")
PATIENCE = 45.0


class Person:
    """One chat of the simulated Telegram. Waits for what the bot says instead of guessing when."""

    def __init__(self, web: str, chat: int, first_name: str = "Ada", language: str = "en") -> None:
        self.web = web
        self.chat = chat
        self.about = {"first_name": first_name, "language_code": language}
        self.http = requests.Session()

    def say(self, text: str = "", **more: Any) -> None:
        """Write a message and wait until the bot has answered below it."""
        answer = self.http.post(
            f"{self.web}/sandbox/telegram/say",
            json={"chat": self.chat, "text": text} | self.about | more,
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        mine = max(message["id"] for message in self.messages() if message["from"] == "user")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if any(m["from"] == "bot" for m in self.messages(after=mine)):
                return
            time.sleep(0.05)

    def press(self, label: str) -> dict[str, Any]:
        """Press the newest button whose text holds `label`; returns what the button answered."""
        message, data = self.button(label)
        before = self._mark()
        answer = self.press_at(message["id"], data)
        self._wait_for_change(before, seconds=5)
        return answer

    def press_at(self, message: int, data: str, **more: Any) -> dict[str, Any]:
        answer = self.http.post(
            f"{self.web}/sandbox/telegram/press",
            json={"chat": self.chat, "message": message, "data": data} | more,
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def button(self, label: str) -> tuple[dict[str, Any], str]:
        """The newest message with such a button, and the button's data; waits a little for it."""
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for message in reversed(self.messages()):
                for row in message["buttons"] or []:
                    for button in row:
                        if re.search(label, button["text"]) and "data" in button:
                            return message, button["data"]
            time.sleep(0.1)
        raise AssertionError(f"no button {label!r} in:\n{self.transcript()}")

    def messages(self, after: int = 0) -> list[dict[str, Any]]:
        answer = self.http.get(
            f"{self.web}/sandbox/telegram/messages", params={"chat": self.chat, "after": after}, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The newest message of the bot that matches, as soon as there is one."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for message in reversed(self.messages()):
                if message["from"] == "bot" and re.search(pattern, message["text"]):
                    return message
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} did not come within {seconds} s:\n{self.transcript()}")

    def last(self) -> str:
        """What the bot said (or changed) last."""
        said = [message for message in self.messages() if message["from"] == "bot"]
        return str(max(said, key=lambda message: message["version"])["text"])

    def transcript(self) -> str:
        return "\n".join(f"[{m['id']} {m['from']}] {m['text']}" for m in self.messages()[-12:])

    def _mark(self) -> int:
        return max((message["version"] for message in self.messages()), default=0)

    def _wait_for_change(self, before: int, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(m["version"] > before and m["from"] == "bot" for m in self.messages()):
                return
            time.sleep(0.05)

    # the longer ways

    def agree(self) -> None:
        """Say hello and agree to the rules."""
        self.say("/start")
        self.press("Continue")
        self.wait_for("What do you need")

    def start_watching(self, words: str, service: str, office: str, mode: str) -> None:
        """A watch by typing and thumb: any day within ten, any time."""
        self.say(words)
        self.press(f"^{service}$")
        if any("persons" in m["text"] for m in self.messages()[-2:]):
            self.press("^1$")
        self.press(office)
        self.press("Next$")
        self.press("Next 10 days")
        self.press("Any time")
        self.press(mode)

    def open_mailed_link(self, address: str) -> str:
        """Open the newest activation link; returns the page's text."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            mails = self.http.get(f"{self.web}/sandbox/mail", params={"to": address}, timeout=10).json()
            links = [link for mail in mails for link in mail["links"] if "confirm" in link]
            if links:
                page = self.http.get(links[-1], timeout=10)
                assert page.status_code == 200, page.text
                return page.text
            time.sleep(0.2)
        raise AssertionError(f"no mail to {address}")


class City:
    """The handles of the simulated city."""

    def __init__(self, web: str) -> None:
        self.web = web

    def handle(self, method: str, name: str, **fields: Any) -> dict[str, Any]:
        answer = requests.request(method, f"{self.web}/sandbox/city/{name}", json=fields, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def open(self, office: int, service: int, starts_at: datetime, places: int = 1) -> None:
        self.handle(
            "POST", "slots", office=office, services=[service], starts_at=starts_at.isoformat(), places=places
        )

    def state(self) -> dict[str, Any]:
        return self.handle("GET", "state")


def in_days(days: int, hour: int, minute: int = 0) -> datetime:
    """That hour of the local day so many days ahead, moved off a weekend."""
    day = datetime.now(MUNICH).replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(
        days=days
    )
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day
