"""The city's catalogue in small: an office offers a service through an offering."""

import factory
from django.utils import timezone

from appointments.models import Offering, Office, Service


class OfficeFactory(factory.django.DjangoModelFactory):
    """A Bürgerbüro without rules of its own. Traits: `guarded` (captcha), `curious` (asks its own question),
    `telephonic` (insists on a telephone number)."""

    class Meta:
        model = Office

    class Params:
        guarded = factory.Trait(captcha_required=True)
        curious = factory.Trait(
            custom_text_activated=True,
            custom_text_required=True,
            custom_text_label="Zusätzliche Bemerkungen",
        )
        telephonic = factory.Trait(telephone_activated=True, telephone_required=True)

    upstream_id = factory.Sequence(lambda n: 10_000 + n)
    name = factory.Sequence(lambda n: f"Bürgerbüro Nummer {n}")
    street = factory.Sequence(lambda n: f"Musterstraße {n}")
    postal_code = "80337"
    city = "München"
    latitude = 48.126
    longitude = 11.558
    reservation_minutes = 15
    activation_minutes = 30
    synced_at = factory.LazyFunction(timezone.now)


class ServiceFactory(factory.django.DjangoModelFactory):
    """A service for up to five persons, offered nowhere until `offices=[...]` says where."""

    class Meta:
        model = Service
        skip_postgeneration_save = True

    upstream_id = factory.Sequence(lambda n: 1_000_000 + n)
    name = factory.Sequence(lambda n: f"Dienstleistung {n}")
    max_quantity = 5
    synced_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def offices(self, create, extracted, **kwargs):
        """`offices=[office, ...]` makes the service bookable there."""
        for office in extracted or ():
            OfferingFactory(service=self, office=office)


class OfferingFactory(factory.django.DjangoModelFactory):
    """That an office offers a service."""

    class Meta:
        model = Offering

    office = factory.SubFactory(OfficeFactory)
    service = factory.SubFactory(ServiceFactory)
    slots = 1
    max_quantity = 5
