"""People."""

from datetime import timedelta

import factory
from django.utils import timezone

from appointments.models import Subscriber


class SubscriberFactory(factory.django.DjangoModelFactory):
    """Somebody who agreed to the rules, speaks English and has not given contact data.

    Traits: `known` (contact data given), `new` (has not agreed yet), `german`.
    """

    class Meta:
        model = Subscriber

    class Params:
        now = factory.LazyFunction(timezone.now)
        known = factory.Trait(
            family_name="Ada Lovelace",
            email=factory.Sequence(lambda n: f"ada{n}@example.org"),
            contact_consented_at=factory.SelfAttribute("now"),
        )
        new = factory.Trait(consented_at=None)
        german = factory.Trait(language="de")

    first_name = "Ada"
    language = "en"
    created_at = factory.SelfAttribute("now")
    last_seen_at = factory.SelfAttribute("now")
    consented_at = factory.SelfAttribute("now")
    erase_after = factory.LazyAttribute(lambda person: (person.now + timedelta(days=365)).date())
