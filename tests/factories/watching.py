"""Searches, watches and slots."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import factory
from django.utils import timezone

from appointments.models import Search, Slot, Watch, WatchOffice
from appointments.models.watch import ALL_WEEKDAYS, WHOLE_DAY
from tests.factories.catalogue import OfficeFactory, ServiceFactory
from tests.factories.people import SubscriberFactory

MUNICH = ZoneInfo("Europe/Berlin")


def local(now: datetime, days: int, hour: int, minute: int = 0) -> datetime:
    """That hour of the local day `days` after `now`, aware."""
    day = now.astimezone(MUNICH).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=MUNICH)


class SearchFactory(factory.django.DjangoModelFactory):
    """One service for `count` persons (1 unless told)."""

    class Meta:
        model = Search
        django_get_or_create = ("key",)

    class Params:
        now = factory.LazyFunction(timezone.now)
        count = 1

    main_service = factory.SubFactory(ServiceFactory)
    key = factory.LazyAttribute(lambda search: f"{search.main_service.upstream_id}x{search.count}")
    created_at = factory.SelfAttribute("now")


class WatchFactory(factory.django.DjangoModelFactory):
    """An active watch for any day and hour. `chosen=[office, ...]` chooses offices; else any office will do.

    Traits: `holding` (mode hold), `booking` (mode auto), `paused`, `deleted`.
    """

    class Meta:
        model = Watch
        skip_postgeneration_save = True

    class Params:
        now = factory.LazyFunction(timezone.now)
        holding = factory.Trait(mode="hold")
        booking = factory.Trait(mode="auto")
        paused = factory.Trait(state="paused")
        deleted = factory.Trait(state="deleted", ended_at=factory.SelfAttribute("now"))

    subscriber = factory.SubFactory(SubscriberFactory, now=factory.SelfAttribute("..now"))
    search = factory.SubFactory(SearchFactory, now=factory.SelfAttribute("..now"))
    mode = "notify"
    created_at = factory.SelfAttribute("now")
    waiting_since = factory.SelfAttribute("now")

    @factory.post_generation
    def chosen(self, create, extracted, **kwargs):
        """Spread the watch over offices: the chosen ones, or all that offer the service."""
        offices = extracted
        if offices is None:
            self.any_office = True
            self.save(update_fields=["any_office"])
            offices = [o.office for o in self.search.main_service.offerings.select_related("office")]
        first, last = self.window(self.created_at.astimezone(MUNICH).date())
        for position, office in enumerate(offices):
            for mask, start, end in self.hour_windows:
                WatchOfficeFactory(
                    watch=self,
                    office=office,
                    position=position,
                    date_from=first,
                    date_to=max(first, last),
                    weekday_mask=mask,
                    minute_from=start,
                    minute_to=end,
                    active=self.state == "active",
                )


class WatchOfficeFactory(factory.django.DjangoModelFactory):
    """One line of a watch, as matching sees it."""

    class Meta:
        model = WatchOffice

    watch = factory.SubFactory(WatchFactory, chosen=[])
    search = factory.SelfAttribute("watch.search")
    office = factory.SubFactory(OfficeFactory)
    date_from = factory.LazyFunction(lambda: timezone.localdate())
    date_to = factory.LazyAttribute(lambda line: line.date_from + timedelta(days=180))
    weekday_mask = ALL_WEEKDAYS
    minute_from = WHOLE_DAY[1]
    minute_to = WHOLE_DAY[2]


class SlotFactory(factory.django.DjangoModelFactory):
    """A free time the day after tomorrow, 10 minutes after the one before. Trait: `gone`."""

    class Meta:
        model = Slot

    class Params:
        now = factory.LazyFunction(timezone.now)
        number = factory.Sequence(lambda n: n % 36)
        gone = factory.Trait(
            gone_at=factory.LazyAttribute(lambda slot: slot.appeared_at + timedelta(minutes=2))
        )

    search = factory.SubFactory(SearchFactory, now=factory.SelfAttribute("..now"))
    office = factory.SubFactory(OfficeFactory)
    starts_at = factory.LazyAttribute(
        lambda slot: local(slot.now, 2, 9) + timedelta(minutes=10 * slot.number)
    )
    appeared_at = factory.SelfAttribute("now")
    seen_at = factory.SelfAttribute("now")
