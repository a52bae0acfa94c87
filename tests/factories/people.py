"""People."""

from datetime import timedelta

import factory
from django.utils import timezone

from appointments.models import Profile, Subscriber


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


class ProfileFactory(factory.django.DjangoModelFactory):
    """Somebody a person books for, agreed to at `now`, without data unless given."""

    class Meta:
        model = Profile

    class Params:
        now = factory.LazyFunction(timezone.now)

    subscriber = factory.SubFactory(SubscriberFactory, now=factory.SelfAttribute("..now"))
    label = factory.Sequence(lambda n: f"Person {n}")
    consented_at = factory.SelfAttribute("now")
    created_at = factory.SelfAttribute("now")
