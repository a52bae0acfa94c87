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
}


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
