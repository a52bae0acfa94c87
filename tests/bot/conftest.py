"""A person with a phone, talking to the conversation without Telegram."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import TestCase
from django.utils import translation

from appointments.models import CatalogueState, Office, Service
from bot import chats, conversation
from bot.effects import Effect, Incoming
from bot.models import Chat
from termin_project.translations import compile_catalogues
from tests.factories import OfficeFactory, ServiceFactory


@pytest.fixture(scope="session", autouse=True)
def _translations() -> None:
    """The compiled catalogues are not in version control."""
    if compile_catalogues():
        translation.trans_real._translations.clear()


@pytest.fixture
def now() -> datetime:
    """A Monday morning in Munich."""
    return datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """What was put on the queues; nothing runs."""
    queued: list[tuple[str, tuple[object, ...]]] = []

    def note(name: str, *args: object, **options: object) -> None:
        queued.append((name.removeprefix("appointments.tasks."), args))

    monkeypatch.setattr("appointments.services.queueing.async_task", note)
    return queued


@dataclass
class Shown:
    """One message on the phone."""

    html: str
    keyboard: list[list[dict[str, str]]]

    @property
    def labels(self) -> list[str]:
        return [button["text"] for row in self.keyboard for button in row]


@dataclass
class Person:
    """Types and presses like somebody with a phone; remembers every message as it looks now.

    Nothing is kept between two updates except in the database, so every test is also one of restarts.
    """

    now: datetime
    chat_id: int = 7
    first_name: str = "Ada"
    language_code: str = "en"
    messages: dict[int, Shown] = field(default_factory=dict)
    toasts: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    updates: int = 0
    sent: int = 100

    def say(self, text: str | None) -> Shown:
        """Type something (None: a photo). Returns the newest message."""
        self.updates += 1
        return self.take(
            Incoming(
                self.chat_id,
                self.updates,
                f"{self.updates}:m",
                text=text,
                first_name=self.first_name,
                language_code=self.language_code,
            )
        )

    def press(self, label: str, message: int | None = None) -> Shown:
        """Press the button whose label holds `label`, of the newest message that has one (or of `message`)."""
        where = message or max(
            pk for pk, shown in self.messages.items() if any(label in x for x in shown.labels)
        )
        buttons = [button for row in self.messages[where].keyboard for button in row]
        found = [b for b in buttons if b["text"] == label] or [b for b in buttons if label in b["text"]]
        assert found, (label, self.messages[where].labels)
        return self.press_data(found[0]["callback_data"], where)

    def press_data(self, data: str, message: int) -> Shown:
        """Press a button that carries `data`."""
        self.updates += 1
        incoming = Incoming(
            self.chat_id,
            self.updates,
            f"{self.updates}:q",
            data=data,
            message_id=message,
            query_id=f"query{self.updates}",
            first_name=self.first_name,
            language_code=self.language_code,
        )
        shown = self.take(incoming)
        assert [e.do for e in self.effects].count("toast") == 1, "every press is answered once"
        return shown

    def again(self, incoming: Incoming) -> list[Effect]:
        """The same update once more, as after a crash."""
        return conversation.respond(replace(incoming), now=self.now)

    def take(self, incoming: Incoming) -> Shown:
        """Hand one update over and do what the answer says."""
        self.last = incoming
        with TestCase.captureOnCommitCallbacks(execute=True):
            self.effects = conversation.respond(incoming, now=self.now)
        self.perform(incoming.key, self.effects)
        return self.newest

    def perform(self, key: str, effects: list[Effect]) -> None:
        """What the application does with an answer."""
        menu = None
        for effect in effects:
            if effect.do == "toast":
                self.toasts.append(effect.html)
            elif effect.do == "strip" and effect.message_id in self.messages:
                self.messages[effect.message_id].keyboard = []
            elif effect.do == "edit":
                assert effect.message_id is not None
                self.messages[effect.message_id] = Shown(effect.html, effect.keyboard)
            elif effect.do in ("send", "document", "venue"):
                self.sent += 1
                self.messages[self.sent] = Shown(effect.html or effect.do, effect.keyboard)
                if effect.menu is not None:
                    menu = (effect.menu, self.sent)
        chats.answer_taken(self.chat_id, key, menu)

    @property
    def newest(self) -> Shown:
        return self.messages[max(self.messages)] if self.messages else Shown("", [])

    @property
    def chat(self) -> Chat:
        return Chat.objects.get(chat_id=self.chat_id)

    def later(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    def begin(self) -> "Person":
        """Greet and agree."""
        self.say("/start")
        self.press("Weiter" if self.language_code.startswith("de") else "Continue")
        return self

    def receive(self, html: str, keyboard: list[list[dict[str, str]]]) -> int:
        """News arrive."""
        self.sent += 1
        self.messages[self.sent] = Shown(html, keyboard)
        return self.sent


@dataclass
class Town:
    """A small catalogue."""

    offices: list[Office]
    registration: Service
    passport: Service


@pytest.fixture
def town(db: None, now: datetime) -> Town:
    CatalogueState.objects.create(pk=1, synced_at=now)
    offices = [
        OfficeFactory(name="Bürgerbüro Ruppertstraße", street="Ruppertstraße 19", priority=9),
        OfficeFactory(name="Bürgerbüro Pasing", street="Landsberger Straße 486", priority=8),
        OfficeFactory(name="Bürgerbüro Orleansplatz", street="Orleansstraße 50", priority=7),
    ]
    return Town(
        offices,
        ServiceFactory(name="An- oder Ummeldung – Familie", offices=offices, max_quantity=5),
        ServiceFactory(name="Reisepass", offices=offices[:1], max_quantity=1),
    )


@pytest.fixture
def ada(town: Town, now: datetime) -> Person:
    return Person(now)


@pytest.fixture
def jakob(town: Town, now: datetime) -> Person:
    return Person(now, chat_id=8, first_name="Jakob", language_code="de")
