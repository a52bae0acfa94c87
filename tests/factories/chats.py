"""Chats in Telegram."""

import factory
from django.utils import timezone

from bot.models import Chat
from tests.factories.people import SubscriberFactory


class ChatFactory(factory.django.DjangoModelFactory):
    """The chat of somebody who agreed to the rules. Trait: `new` (nobody agreed yet)."""

    class Meta:
        model = Chat

    class Params:
        now = factory.LazyFunction(timezone.now)
        new = factory.Trait(subscriber=None)

    chat_id = factory.Sequence(lambda n: 1000 + n)
    subscriber = factory.SubFactory(SubscriberFactory, now=factory.SelfAttribute("..now"))
    language = factory.LazyAttribute(lambda chat: chat.subscriber.language if chat.subscriber else "en")
    created_at = factory.SelfAttribute("now")
    last_update_at = factory.SelfAttribute("now")
