"""Words for numbers and names on the staff's pages."""

from datetime import timedelta

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

register = template.Library()

_PARTS = {
    "web": gettext_lazy("Web pages"),
    "bot": gettext_lazy("Bot"),
    "queue:booking": gettext_lazy("Booking queue"),
    "queue:polling": gettext_lazy("Watching queue"),
    "queue:notify": gettext_lazy("Message queue"),
    "booking": gettext_lazy("bookings"),
    "polling": gettext_lazy("watching"),
    "notify": gettext_lazy("messages"),
    "city": gettext_lazy("City"),
    "database": gettext_lazy("Database"),
    "captcha": gettext_lazy("Captcha"),
}

_REASONS = {
    "starting": gettext_lazy("it is starting"),
    "slow_down": gettext_lazy("the city asked us to slow down"),
    "maintenance": gettext_lazy("the city's system is under maintenance"),
    "no_answer": gettext_lazy("the city does not answer"),
    "not_understood": gettext_lazy("we do not understand the city's answers"),
    "captcha": gettext_lazy("the captcha does not let us through"),
    "quota": gettext_lazy("the requests of this day are used up"),
}


_SLOW = {
    "refused": gettext_lazy("The city refuses our address. Somebody should write to it."),
    "slow_down": gettext_lazy("The city asked us to slow down, so everything rests."),
    "after_refusal": gettext_lazy(
        "The city asked us to slow down lately. Rounds grow again by one request each."
    ),
    "quota": gettext_lazy(
        "The requests of this day are used up. Watching goes on at midnight; bookings go on now."
    ),
    "resting": gettext_lazy("This round is used up. After a minute of quiet the next one begins."),
    "night": gettext_lazy("It is night: hardly anything opens, so we ask less often."),
    "latency": gettext_lazy("The city answers more slowly than usual, so we ask less."),
    "captcha_cost": gettext_lazy("The city's captcha became harder, a sign to ask less."),
}

_KINDS = {
    "catalogue": gettext_lazy("catalogue"),
    "sweep": gettext_lazy("looks at whole calendars"),
    "detail": gettext_lazy("looks at single days"),
    "captcha": gettext_lazy("captcha"),
    "booking": gettext_lazy("bookings"),
    "follow": gettext_lazy("looks after bookings"),
    "probe": gettext_lazy("is the city there"),
    "watching": gettext_lazy("looks at the city's calendar"),
    "following": gettext_lazy("looks after bookings"),
}


@register.filter
def slow_reason(code: str) -> str:
    """Why watching does not ask faster, as a sentence."""
    return str(_SLOW.get(code, code))


@register.filter
def call_kind(kind: str) -> str:
    """The plain word for a kind of calls, or for what a circuit breaker guards."""
    return str(_KINDS.get(kind, kind))


@register.filter
def part_name(name: str) -> str:
    """The plain word for a part of the system; an unknown one keeps its name."""
    return str(_PARTS.get(name, name))


@register.filter
def sight_reason(reason: str) -> str:
    """Why the watch does not see, as the end of a sentence."""
    return str(_REASONS.get(reason, reason))


@register.filter
def brief(span: timedelta | None) -> str:
    """A duration in its largest unit: "12 s", "3 min", "5 h", "2 d"; a dash for none."""
    if span is None:
        return "–"
    seconds = max(0, int(span.total_seconds()))
    if seconds < 100:
        return _("%(n)s s") % {"n": seconds}
    if seconds < 100 * 60:
        return _("%(n)s min") % {"n": seconds // 60}
    if seconds < 48 * 3600:
        return _("%(n)s h") % {"n": seconds // 3600}
    return _("%(n)s d") % {"n": seconds // 86400}
