"""Messages on their way."""

import factory
from django.utils import timezone

from appointments.models import OutboxMessage
from tests.factories.people import SubscriberFactory


class OutboxMessageFactory(factory.django.DjangoModelFactory):
    """A test message, due now. Trait: `sent`."""

    class Meta:
        model = OutboxMessage

    class Params:
        now = factory.LazyFunction(timezone.now)
        sent = factory.Trait(
            sent_at=factory.SelfAttribute("now"), receipt=factory.Sequence(lambda n: str(n + 1))
        )

    subscriber = factory.SubFactory(SubscriberFactory, now=factory.SelfAttribute("..now"))
    kind = "test_message"
    dedup_key = factory.Sequence(lambda n: f"test:{n}")
    created_at = factory.SelfAttribute("now")
    available_at = factory.SelfAttribute("now")
