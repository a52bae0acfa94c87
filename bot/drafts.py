"""A watch in the making: what the person has chosen so far, kept as plain values in the dialogue."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

from appointments.models import Office, Service, Watch
from appointments.selectors.catalogue import largest_count, offices_for
from appointments.services.watches import WatchWish
from appointments.upstream.types import ServiceCount


@dataclass(frozen=True)
class Draft:
    """The points of the summary; None is "not chosen yet". `watch` is the one being changed, None for a new one."""

    service: int | None = None
    count: int | None = None
    # primary keys; () means any office
    offices: tuple[int, ...] | None = None
    days: tuple[str | None, str | None, int | None] | None = None
    hours: tuple[tuple[int, int, int], ...] | None = None
    mode: str | None = None
    watch: int | None = None
    notice: int = 0
    # primary key of the profile it is for; None: for the person who writes
    profile: int | None = None

    @classmethod
    def read(cls, memory: dict[str, Any]) -> Self:
        """The draft of a dialogue; an empty one when there is none."""
        kept = memory.get("draft") or {}
        offices, days, hours = kept.get("offices"), kept.get("days"), kept.get("hours")
        return cls(
            service=kept.get("service"),
            count=kept.get("count"),
            offices=None if offices is None else tuple(offices),
            days=None if days is None else (days[0], days[1], days[2]),
            hours=None if hours is None else tuple((h[0], h[1], h[2]) for h in hours),
            mode=kept.get("mode"),
            watch=kept.get("watch"),
            notice=kept.get("notice", 0),
            profile=kept.get("profile"),
        )

    @classmethod
    def of_wish(cls, wish: WatchWish, watch: Watch | None) -> Self:
        """The draft that changes a standing watch (or starts over from one that ended)."""
        return cls(
            service=wish.services[0].service_id,
            count=wish.services[0].count,
            offices=wish.office_ids,
            days=(_text(wish.date_from), _text(wish.date_to), wish.rolling_days),
            hours=wish.hours,
            mode=wish.mode,
            watch=watch.pk if watch else None,
            notice=wish.minimum_notice_minutes,
            profile=wish.profile_id,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for the dialogue."""
        return {
            "service": self.service,
            "count": self.count,
            "offices": None if self.offices is None else list(self.offices),
            "days": None if self.days is None else list(self.days),
            "hours": None if self.hours is None else [list(window) for window in self.hours],
            "mode": self.mode,
            "watch": self.watch,
            "notice": self.notice,
            "profile": self.profile,
        }

    def with_service(self, service: Service) -> "Draft":
        """Another service: the number of persons and the offices stay where they still fit."""
        count = self.count if self.count is not None and self.count <= largest_count(service) else None
        draft = replace(self, service=service.upstream_id, count=count)
        if draft.offices and not {office.pk for office in draft.possible_offices()} & set(draft.offices):
            draft = replace(draft, offices=None)
        return draft

    @property
    def services(self) -> tuple[ServiceCount, ...]:
        """What to search for."""
        assert self.service is not None
        return (ServiceCount(service_id=self.service, count=self.count or 1),)

    def possible_offices(self) -> list[Office]:
        """Where this may be booked."""
        return offices_for(self.services) if self.service is not None else []

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
            profile_id=self.profile,
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
