"""A watch in the making: what the person has chosen so far, kept as plain values in the dialogue."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

from appointments import selections
from appointments.models import Office, Service, Watch
from appointments.selectors.catalogue import facts, facts_about, must_choose_office, places_for
from appointments.services.watches import WatchWish
from appointments.upstream.types import ServiceCount


@dataclass(frozen=True)
class Draft:
    """The points of the summary; None is "not chosen yet". `watch` is the one being changed, None for a new one.

    `more`: the other services of the same appointment, (number at the city, count), in order.
    """

    service: int | None = None
    count: int | None = None
    more: tuple[tuple[int, int], ...] = ()
    # primary keys; () means any office
    offices: tuple[int, ...] | None = None
    days: tuple[str | None, str | None, int | None] | None = None
    hours: tuple[tuple[int, int, int], ...] | None = None
    mode: str | None = None
    watch: int | None = None
    notice: int = 0

    @classmethod
    def read(cls, memory: dict[str, Any]) -> Self:
        """The draft of a dialogue; an empty one when there is none."""
        kept = memory.get("draft") or {}
        offices, days, hours = kept.get("offices"), kept.get("days"), kept.get("hours")
        return cls(
            service=kept.get("service"),
            count=kept.get("count"),
            more=tuple((item[0], item[1]) for item in kept.get("more") or ()),
            offices=None if offices is None else tuple(offices),
            days=None if days is None else (days[0], days[1], days[2]),
            hours=None if hours is None else tuple((h[0], h[1], h[2]) for h in hours),
            mode=kept.get("mode"),
            watch=kept.get("watch"),
            notice=kept.get("notice", 0),
        )

    @classmethod
    def of_wish(cls, wish: WatchWish, watch: Watch | None) -> Self:
        """The draft that changes a standing watch (or starts over from one that ended)."""
        return cls(
            service=wish.services[0].service_id,
            count=wish.services[0].count,
            more=tuple((item.service_id, item.count) for item in wish.services[1:]),
            offices=wish.office_ids,
            days=(_text(wish.date_from), _text(wish.date_to), wish.rolling_days),
            hours=wish.hours,
            mode=wish.mode,
            watch=watch.pk if watch else None,
            notice=wish.minimum_notice_minutes,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for the dialogue."""
        return {
            "service": self.service,
            "count": self.count,
            "more": [list(item) for item in self.more],
            "offices": None if self.offices is None else list(self.offices),
            "days": None if self.days is None else list(self.days),
            "hours": None if self.hours is None else [list(window) for window in self.hours],
            "mode": self.mode,
            "watch": self.watch,
            "notice": self.notice,
        }

    def with_service(self, service: Service) -> "Draft":
        """Another main service: the number of persons, the other services and the offices stay where they still fit."""
        return replace(self, service=service.upstream_id).fitted()

    def with_more(self, service: int, count: int) -> "Draft":
        """One more service in the same appointment (or another count of it); offices that do not do it fall away."""
        added = selections.with_count(self.services, service, count)
        return replace(self, more=tuple((item.service_id, item.count) for item in added[1:])).fitted()

    def without(self, service: int) -> "Draft":
        """The other services only."""
        return replace(self, more=tuple(item for item in self.more if item[0] != service)).fitted()

    def fitted(self) -> "Draft":
        """The same draft without what the rules do not allow: other services, then the count, then offices."""
        assert self.service is not None
        main = ServiceCount(self.service, 1)
        known = facts_about((main,))
        more: list[tuple[int, int]] = []
        for service, wanted in self.more:
            before = (main, *(ServiceCount(*item) for item in more))
            most = selections.largest_count(known, before, service)
            if most and service != self.service:
                more.append((service, min(wanted, most)))
        rest = tuple(ServiceCount(*item) for item in more)
        most = selections.largest_count(known, (main, *rest), self.service)
        count = self.count if self.count is not None and self.count <= most else None
        draft = replace(self, count=count, more=tuple(more))
        if draft.offices:
            possible = {office.pk for office in draft.possible_offices()}
            kept = tuple(pk for pk in draft.offices if pk in possible)
            draft = replace(draft, offices=kept or None)
        elif draft.offices is not None and draft.must_choose:
            draft = replace(draft, offices=None)
        return draft

    @property
    def services(self) -> tuple[ServiceCount, ...]:
        """What to search for, main service first."""
        assert self.service is not None
        return (ServiceCount(self.service, self.count or 1), *(ServiceCount(*item) for item in self.more))

    @property
    def largest_count(self) -> int:
        """For how many the main service may be booked with the others; 0: not at all."""
        if self.service is None:
            return 0
        known = facts({item.service_id for item in self.services})
        return selections.largest_count(known, self.services, self.service)

    def partners(self) -> list[selections.Partner]:
        """What the city's rules let be added to this appointment, in the city's order."""
        if self.service is None:
            return []
        return selections.partners(facts_about(self.services), self.services)

    @property
    def must_choose(self) -> bool:
        """Whether "any office" is no answer here."""
        return self.service is not None and must_choose_office(self.services)

    def possible_offices(self) -> list[Office]:
        """Where this may be booked; offices that are booked as one are listed once."""
        return places_for(self.services) if self.service is not None else []

    def wish(self) -> WatchWish:
        """The wish for the domain; what was not chosen means "any"."""
        first, last, rolling = self.days or (None, None, None)
        return WatchWish(
            services=self.services,
            office_ids=self.offices or (),
            date_from=_day(first),
            date_to=_day(last),
            rolling_days=rolling,
            hours=self.hours or (),
            mode=self.mode or Watch.Mode.NOTIFY,
            minimum_notice_minutes=self.notice,
        )

    def open_point(self) -> str:
        """The next point to ask about; "" when everything is chosen."""
        for point in ("service", "count", "offices", "days", "hours", "mode"):
            if getattr(self, point) is None:
                return point
        return ""


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
