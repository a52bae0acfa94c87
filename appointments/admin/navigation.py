"""The admin's sidebar in plain words: only what the viewer may see."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

# Group, then (model, word, symbol of the theme's icon font).
GROUPS: tuple[tuple[Any, tuple[tuple[str, Any, str], ...]], ...] = (
    (
        _("People"),
        (
            ("appointments.Subscriber", _("People"), "person"),
            ("appointments.Watch", _("Watches"), "visibility"),
            ("bot.Chat", _("Chats"), "chat"),
        ),
    ),
    (
        _("Appointments"),
        (
            ("appointments.Booking", _("Bookings"), "event_available"),
            ("appointments.Slot", _("Slots"), "schedule"),
            ("appointments.Sighting", _("Sightings"), "history"),
            ("appointments.OutboxMessage", _("Messages"), "outbox"),
            ("appointments.ImportRequest", _("Taken over"), "move_to_inbox"),
            ("appointments.AttemptCount", _("Attempts counted"), "query_stats"),
        ),
    ),
    (
        _("Asking the city"),
        (
            ("appointments.PollTarget", _("What we ask"), "radar"),
            ("appointments.Search", _("Searches"), "search"),
            ("appointments.GateState", _("Limit"), "speed"),
            ("appointments.CircuitBreaker", _("Circuit breakers"), "electric_bolt"),
            ("appointments.StaffAlert", _("Alerts"), "notifications"),
            ("captcha.CaptchaToken", _("Captcha"), "verified_user"),
            ("captcha.CaptchaChoice", _("captcha mode"), "tune"),
            ("appointments.Call", _("Calls"), "swap_vert"),
            ("appointments.CallCount", _("Calls counted"), "bar_chart"),
            ("appointments.UnreadAnswer", _("Answers not understood"), "help"),
            ("appointments.CityDialect", _("Dialect"), "translate"),
        ),
    ),
    (
        _("What the city offers"),
        (
            ("appointments.Service", _("Services"), "description"),
            ("appointments.Office", _("Offices"), "location_on"),
            ("appointments.Offering", _("Which office offers what"), "link"),
            ("appointments.CatalogueChange", _("What the city changed"), "difference"),
            ("appointments.CatalogueState", _("Catalogue"), "menu_book"),
        ),
    ),
    (
        _("Machinery"),
        (
            ("appointments.Heartbeat", _("Signs of life"), "ecg_heart"),
            ("django_q.Failure", _("Failed tasks"), "error"),
            ("django_q.OrmQ", _("Waiting tasks"), "pending"),
            ("django_q.Success", _("Done tasks"), "task_alt"),
            ("django_q.Schedule", _("Regular tasks"), "event_repeat"),
            ("appointments.Lease", _("Leases"), "key"),
        ),
    ),
    (
        _("Staff"),
        (
            ("auth.User", _("Accounts"), "badge"),
            ("auth.Group", _("Groups"), "groups"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups with links; a group without any link for this viewer is left out."""
    groups: list[dict[str, Any]] = [
        {
            "items": [
                {"title": _("Dashboard"), "icon": "dashboard", "link": reverse("appointments:dashboard")},
                {"title": _("Status page"), "icon": "info", "link": reverse("appointments:status")},
            ]
        }
    ]
    for title, entries in GROUPS:
        items = [
            {"title": word, "icon": icon, "link": _address(label)}
            for label, word, icon in entries
            if _may_view(request, label)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def environment(request: HttpRequest) -> list[Any] | None:
    """A mark at the top of every admin page while the city is simulated."""
    return [_("Practice"), "warning"] if settings.SIMULATED_CITY else None


def _address(label: str) -> str:
    options = apps.get_model(label)._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def _may_view(request: HttpRequest, label: str) -> bool:
    options = apps.get_model(label)._meta
    return bool(request.user.has_perm(f"{options.app_label}.view_{options.model_name}"))
