"""Templates and values in, Telegram's HTML out. Everything a person or the city wrote is escaped."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.models import Booking, Office, Profile, Watch
from appointments.selectors.catalogue import city_page, services_named
from appointments.selectors.moving import changes_left, quiet_after_change, stands
from appointments.services.contact import data_of
from appointments.services.watches import WatchWish, wish_of
from appointments.states import BookingState
from bot import dates
from bot.selection_words import duration_text, more_text, telephone

LONGEST = 4096  # Telegram's limit, counted without markup
EMPTY_LINE = "<br>"
_TAG = re.compile(r"<[^>]+>")
# So many offices are named before the rest is counted.
OFFICES_NAMED = 5


def render(kind: str, **context: object) -> str:
    """`templates/bot/messages/<kind>.html` in the present language, as Telegram's HTML of at most 4,096 characters.

    Blank lines of a template vanish; a line that is only `<br>` becomes one.
    """
    context.setdefault("practice", settings.SIMULATED_CITY)
    text = render_to_string(f"bot/messages/{kind}.html", context)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    kept = ["" if line == EMPTY_LINE else line for line in lines if line]
    return fit("\n".join(kept).strip())


def fit(html: str, longest: int = LONGEST) -> str:
    """`html`, whole lines cut from its end until Telegram takes it. Tags never span lines, so none stays open."""
    if visible_length(html) <= longest:
        return html
    lines = html.split("\n")
    while len(lines) > 1 and visible_length("\n".join(lines)) > longest - 2:
        lines.pop()
    shorter = "\n".join(lines)
    if visible_length(shorter) > longest - 2:
        # One endless line: without its markup it may be cut anywhere but inside an entity.
        shorter = re.sub(r"&[^;]{0,8}$", "", _TAG.sub("", shorter)[: longest - 2])
    return f"{shorter}\n…"


def visible_length(html: str) -> int:
    """How many characters Telegram counts: UTF-16 units without tags; entities count generously as written."""
    return len(_TAG.sub("", html).encode("utf-16-le")) // 2


# --- Values that several messages show ---------------------------------------------------------------------


@dataclass(frozen=True)
class BookingView:
    """A booking as messages show it; times are on Munich's clock and already written out."""

    booking: Booking
    now: datetime

    @property
    def service(self) -> str:
        """Every service of the appointment, the main one first."""
        return " + ".join([self.booking.main_service.name, *more_text(self.booking.search.services)])

    @property
    def persons(self) -> str:
        return persons(self.booking.search.main_count)

    @property
    def office(self) -> Office:
        return self.booking.office

    @property
    def when(self) -> str:
        return dates.show_moment(self.booking.starts_at)

    @property
    def time(self) -> str:
        return dates.show_time(self.booking.starts_at)

    @property
    def number(self) -> str:
        return self.booking.display_number

    @property
    def answer_until(self) -> datetime | None:
        return self.booking.answer_until or self.booking.held_until

    @property
    def held_until(self) -> str:
        return dates.show_time(self.answer_until) if self.answer_until else ""

    @property
    def held_minutes(self) -> int:
        return dates.minutes_until(self.answer_until, self.now) if self.answer_until else 0

    @property
    def activate_until(self) -> str:
        return dates.show_time(self.booking.activate_until) if self.booking.activate_until else ""

    @property
    def activate_minutes(self) -> int:
        return (
            dates.minutes_until(self.booking.activate_until, self.now) if self.booking.activate_until else 0
        )

    @property
    def free_again_at(self) -> str:
        until = self.booking.unnamed_hold_until or self.booking.held_until
        return dates.show_time(until) if until else ""

    @property
    def masked_email(self) -> str:
        """The address the data was sent with, recognisable for its owner only."""
        name, _at, host = self.email.partition("@")
        return f"{name[:1]}…@{host}" if host else ""

    @property
    def email(self) -> str:
        return data_of(self.booking).email

    @property
    def whom(self) -> str:
        """What the person it is for is called; "" for the one who reads this."""
        return self.booking.profile.label if self.booking.profile is not None else ""

    @property
    def information(self) -> str:
        """What the office wants people to know, without markup and in bearable length."""
        text = _TAG.sub(" ", f"{self.office.information} {self.office.hint}")
        return shorten(" ".join(text.split()), 600)

    @property
    def old(self) -> "BookingView | None":
        """The appointment whose place this one takes (or took), as long as there is something to say about it."""
        former = self.booking.replaces or self.booking.moved_from
        return BookingView(former, self.now) if former is not None else None

    @property
    def replacing(self) -> bool:
        """Whether the old appointment has not gone for this one yet."""
        return self.booking.replaces is not None

    @property
    def there(self) -> bool:
        """Whether it stands and nobody gives it back."""
        return stands(self.booking)

    @property
    def gone(self) -> bool:
        """Whether the city has taken it back."""
        return self.booking.state == BookingState.CANCELLED

    @property
    def watching(self) -> bool:
        """Whether the watch behind it still stands."""
        return (
            self.booking.watch is not None
            and self.booking.watch.ended_at is None
            and self.booking.watch.state != Watch.State.PAUSED
        )

    @property
    def takes_again(self) -> bool:
        """Whether the watch behind it takes times by itself, instead of only telling about them."""
        return self.booking.watch is not None and self.booking.watch.mode != Watch.Mode.NOTIFY

    @property
    def paused(self) -> bool:
        """Whether the watch behind it waits for the person to say that it shall go on."""
        return self.booking.watch is not None and self.booking.watch.state == Watch.State.PAUSED


def shorten(text: str, longest: int) -> str:
    """`text`, cut at a word."""
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0] + " …"


def persons(count: int) -> str:
    """ "3 persons"."""
    return ngettext("%(count)d person", "%(count)d persons", count) % {"count": count}


def minutes(count: int) -> str:
    """ "3 minutes"."""
    return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}


def days_text(wish: WatchWish) -> str:
    """The days of a wish in words."""
    if wish.rolling_days is not None:
        return ngettext(
            "today and tomorrow, always", "the next %(count)d days, always", wish.rolling_days
        ) % {"count": wish.rolling_days}
    if wish.date_from and wish.date_to:
        if wish.date_from == wish.date_to:
            return dates.show_day(wish.date_from)
        return _("%(first)s to %(last)s") % {
            "first": dates.show_day(wish.date_from),
            "last": dates.show_day(wish.date_to),
        }
    if wish.date_to:
        return _("until %(last)s") % {"last": dates.show_day(wish.date_to)}
    if wish.date_from:
        return _("from %(first)s on") % {"first": dates.show_day(wish.date_from)}
    return _("as soon as possible")


def span_text(start: int, end: int) -> str:
    """A span of the day in words."""
    if (start, end) == (0, 1440):
        return _("any time")
    if start == 0:
        return _("before %(end)s") % {"end": dates.show_minutes(end)}
    if end == 1440:
        return _("after %(start)s") % {"start": dates.show_minutes(start)}
    return f"{dates.show_minutes(start)}–{dates.show_minutes(end)}"


def hours_text(hours: Sequence[tuple[int, int, int]]) -> str:
    """The hours of a wish in words, weekday by weekday where they differ."""
    if not hours:
        return _("any time")
    parts = []
    for mask, start, end in hours:
        if mask == dates.WHOLE_WEEK:
            parts.append(span_text(start, end))
            continue
        names = ", ".join(dates.weekday_name(n, short=True) for n in range(7) if mask & (1 << n))
        parts.append(f"{names} {span_text(start, end)}")
    return "; ".join(parts)


def mode_text(mode: str) -> str:
    """What happens when a slot opens."""
    return {
        Watch.Mode.NOTIFY: _("I tell you"),
        Watch.Mode.HOLD: _("I hold it and ask you"),
        Watch.Mode.AUTO: _("I book it for you"),
    }[Watch.Mode(mode)]


def offices_text(office_ids: Sequence[int]) -> str:
    """Names of the offices, or "any office"."""
    if not office_ids:
        return _("any office")
    names = {office.pk: office.shown_name for office in Office.objects.filter(pk__in=office_ids)}
    named = [names[pk] for pk in office_ids if pk in names]
    more = len(named) - OFFICES_NAMED
    text = ", ".join(named[:OFFICES_NAMED])
    if more > 0:
        text += " " + ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}
    return text


@dataclass(frozen=True)
class WishView:
    """A wish as the summary and the list of watches show it. `page` is the city's own page for it."""

    service: str
    persons: str
    more: Sequence[str]
    takes: str
    page: str
    telephone: str
    withdrawn: Sequence[str]
    offices: str
    days: str
    hours: str
    mode: str
    whom: str = ""


def wish_view(wish: WatchWish) -> WishView:
    """`wish` in words of the present language."""
    main = wish.services[0]
    services = services_named(wish.services)
    service = services.get(main.service_id)
    chosen = list(Office.objects.filter(pk__in=wish.office_ids))
    # The city's page knows one office; with several chosen it opens at the service.
    office = chosen[0].upstream_id if len(chosen) == 1 else None
    return WishView(
        service=service.name if service else "",
        persons=persons(main.count),
        more=more_text(wish.services),
        takes=duration_text(wish.services, wish.office_ids),
        page=city_page(main.service_id, office),
        telephone=telephone(chosen),
        withdrawn=[item.name for item in services.values() if item.withdrawn_at is not None],
        offices=offices_text(wish.office_ids),
        days=days_text(wish),
        hours=hours_text(wish.hours),
        mode=mode_text(wish.mode),
        whom=_label_of(wish.profile_id),
    )


def _label_of(profile_id: int | None) -> str:
    profile = Profile.objects.filter(pk=profile_id).first() if profile_id is not None else None
    return profile.label if profile is not None else ""


def watch_view(watch: Watch) -> WishView:
    """A standing watch in words."""
    return wish_view(wish_of(watch))


@dataclass(frozen=True)
class ImprovingView:
    """A watch that looks for something earlier than an appointment, in words."""

    appointment: BookingView
    gain: str
    left: str
    quiet_until: str


def improving_view(watch: Watch, now: datetime) -> ImprovingView | None:
    """What `watch` improves and by which rules; None for an ordinary one."""
    if watch.improves is None:
        return None
    quiet = quiet_after_change(watch)
    return ImprovingView(
        appointment=BookingView(watch.improves, now),
        gain=days(watch.improve_gain_days),
        left=changes(max(0, changes_left(watch))),
        quiet_until=dates.show_moment(quiet) if quiet is not None and quiet > now else "",
    )


def days(count: int) -> str:
    """ "3 days"."""
    return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}


def changes(count: int) -> str:
    """ "2 changes"."""
    return ngettext("%(count)d change", "%(count)d changes", count) % {"count": count}


def watch_name(watch: Watch) -> str:
    """How a watch is called on buttons and in news."""
    count = watch.search.main_count
    name = watch.search.main_service.name
    named = name if count == 1 else f"{name} · {persons(count)}"
    whole = " + ".join([named, *more_text(watch.search.services)])
    return f"{whole} · {watch.profile.label}" if watch.profile is not None else whole


def miss_text(miss: str) -> str:
    """What a time just outside a search does not fit, in plain words; `miss` as in `selectors.near_misses`."""
    return {
        "notice": _("sooner than you wanted"),
        "day": _("outside your days"),
        "weekday": _("another weekday"),
        "hour": _("outside your hours"),
        "office": _("another office"),
    }[miss]


def sight_reason(code: str) -> str:
    """Why we cannot see, in plain words, from a word of `city_sight` or an outcome code of the city."""
    words = {
        "slow_down": _("it asks us to slow down"),
        "maintenance": _("it is under maintenance"),
        "not_understood": _("its answers make no sense to me"),
        "captcha": _("its captcha cannot be solved right now"),
        "starting": _("I have just started and not looked yet"),
        "quota": _("I have asked as often as I may today"),
    }
    known = {
        "rateLimitExceeded": "slow_down",
        "GateClosed": "slow_down",
        "gateClosed": "slow_down",
        "ipBlacklisted": "slow_down",
        "IP_BLACKLISTED": "slow_down",
        "serviceUnavailable": "maintenance",
        "notUnderstood": "not_understood",
    }
    if "captcha" in code.lower():
        code = "captcha"
    return words.get(known.get(code, code), _("it does not answer"))


def part_name(breaker: str) -> str:
    """What a circuit breaker guards, in plain words."""
    return {
        "watching": _("looking at the calendar"),
        "booking": _("sending bookings"),
        "following": _("following bookings"),
        "captcha": _("the captcha"),
        "catalogue": _("the catalogue"),
    }.get(breaker, breaker)
