"""A phone that shows what people read, rendered at the moment it is sent."""

from dataclasses import dataclass, field

import pytest
from django.utils import translation

from appointments.channels import DeliveryError
from appointments.models import OutboxMessage
from bot.news import News, NothingToTell, render_news
from tests.conftest import Office


@dataclass
class Phone:
    """What the people of a journey read, oldest first; messages that no longer make sense are not shown."""

    read: list[tuple[str, News]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [news.screen.html for _kind, news in self.read]

    @property
    def everything(self) -> str:
        return "\n".join(self.texts)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _news in self.read]

    def last(self, kind: str) -> str:
        return [news.screen.html for read_kind, news in self.read if read_kind == kind][-1]


@pytest.fixture
def phone(office: Office, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """Shows each message in English as the bot would, at the moment it goes out."""
    seen = Phone()
    deliver = office.mailman.deliver

    def show(message: OutboxMessage, edit_receipt: str) -> str:
        with translation.override("en"):
            try:
                news = render_news(message, office.now())
            except NothingToTell as nothing:
                raise DeliveryError(str(nothing), overtaken=True) from None
        receipt = deliver(message, edit_receipt)
        seen.read.append((message.kind, news))
        return receipt

    monkeypatch.setattr(office.mailman, "deliver", show)
    return seen
