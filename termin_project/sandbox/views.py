"""The sandbox in the web process: a chat page, a mailbox, and thin proxies to the sandbox process."""

import json
from functools import cache
from urllib.parse import quote, urlsplit

import requests
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

TELEGRAM_HANDLES = {"say", "meet", "press", "messages", "chats", "read", "block", "faults", "state"}
CITY_HANDLES = {"slots", "faults", "clock", "state", "life", "dialect"}
# Seconds to connect and to answer; a press waits for the bot, hence the second.
TIME_LIMIT = (1, 12)
_PASSED_ON = ("Content-Type", "Content-Disposition", "Allow")


@cache
def http() -> requests.Session:
    """The connection to the sandbox process, kept open; tests mount the simulators on it."""
    session = requests.Session()
    session.trust_env = False  # it is on this very computer: no proxy in between
    return session


def _foreign(request: HttpRequest) -> bool:
    """Whether another site's page sent this. The handles take no CSRF token, so that a plain HTTP client
    can use them; a browser tells us where a request comes from."""
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc != request.get_host()


def _forward(request: HttpRequest, path: str, *, simulated: bool) -> HttpResponse:
    """The sandbox process's answer to this request: its status, its JSON."""
    if not simulated:
        return JsonResponse({"error": "This half is not simulated here."}, status=404)
    if request.method not in ("GET", "HEAD") and _foreign(request):
        return JsonResponse({"error": "Requests from other sites are not taken."}, status=403)
    try:
        answer = http().request(
            str(request.method),
            f"{settings.SANDBOX_URL}{path}",
            params=request.GET.dict(),
            data=request.body or None,
            headers={"Content-Type": request.content_type or "application/json"},
            timeout=TIME_LIMIT,
        )
    except requests.RequestException:
        return JsonResponse({"error": "The sandbox process does not answer. Is it running?"}, status=502)
    response = HttpResponse(answer.content, status=answer.status_code)
    for name in _PASSED_ON:
        if name in answer.headers:
            response[name] = answer.headers[name]
    return response


# --- handles -------------------------------------------------------------------------------------------------


@csrf_exempt
@never_cache
def telegram(request: HttpRequest, what: str) -> HttpResponse:
    """The person's side of the simulated Telegram: say, press, messages and their like."""
    if what not in TELEGRAM_HANDLES:
        known = ", ".join(sorted(TELEGRAM_HANDLES))
        return JsonResponse({"error": f"There is no such handle. There are: {known}."}, status=404)
    return _forward(request, f"/telegram/control/{what}", simulated=settings.SIMULATED_TELEGRAM)


@require_GET
def telegram_file(request: HttpRequest, file_id: str) -> HttpResponse:
    """A file that was sent in a chat."""
    return _forward(
        request, f"/telegram/control/file/{quote(file_id, safe='')}", simulated=settings.SIMULATED_TELEGRAM
    )


@csrf_exempt
@never_cache
def city(request: HttpRequest, what: str) -> HttpResponse:
    """The simulated city's handles: slots, faults, clock, state, life."""
    if what not in CITY_HANDLES:
        known = ", ".join(sorted(CITY_HANDLES))
        return JsonResponse({"error": f"There is no such handle. There are: {known}."}, status=404)
    return _forward(request, f"/city/control/{what}", simulated=settings.SIMULATED_CITY)


@require_GET
@never_cache
def mail(request: HttpRequest) -> HttpResponse:
    """The city's mails to one address (`?to=`), oldest first."""
    return _forward(request, "/city/control/mail", simulated=settings.SIMULATED_CITY)


@require_GET
@never_cache
def mail_addresses(request: HttpRequest) -> HttpResponse:
    """Every address the city has written to."""
    return _forward(request, "/city/control/mail/addresses", simulated=settings.SIMULATED_CITY)


# --- pages ---------------------------------------------------------------------------------------------------


@require_GET
@never_cache
def chat(request: HttpRequest) -> HttpResponse:
    """A messenger in the browser: several people, one bot."""
    if not settings.SIMULATED_TELEGRAM:
        raise Http404
    return render(
        request,
        "sandbox/chat.html",
        {
            "simulated_city": settings.SIMULATED_CITY,
            "texts_json": json.dumps(_chat_texts()),
            "languages": settings.LANGUAGES,
        },
    )


@require_GET
@never_cache
def mailbox(request: HttpRequest) -> HttpResponse:
    """The mails the simulated city has sent, by address."""
    if not settings.SIMULATED_CITY:
        raise Http404
    return render(
        request,
        "sandbox/mailbox.html",
        {"simulated_telegram": settings.SIMULATED_TELEGRAM, "texts_json": json.dumps(_mailbox_texts())},
    )


@require_GET
@never_cache
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Follow the activation link of a mail, as its reader does, and show what the city says."""
    if not settings.SIMULATED_CITY:
        raise Http404
    try:
        answer = http().post(
            f"{settings.SANDBOX_URL}/city/control/confirm/{quote(token, safe='')}", timeout=TIME_LIMIT
        )
        words = answer.json()
    except (requests.RequestException, ValueError):
        return render(request, "sandbox/confirm.html", {"outcome": "unreachable"}, status=502)
    return render(
        request,
        "sandbox/confirm.html",
        {"outcome": words.get("outcome", "broken_link"), "words": words},
        status=answer.status_code,
    )


def _chat_texts() -> dict[str, str]:
    """What the page's script says, in the reader's language."""
    return {
        "online": _("bot"),
        "offline": _("The bot is not running"),
        "typing": _("is typing"),
        "unreachable": _("The sandbox does not answer. Trying again …"),
        "edited": _("edited"),
        "sent": _("sent"),
        "seen": _("seen"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "new": _("New messages"),
        "unread": _("unread"),
        "download": _("Download"),
        "open_map": _("Open in OpenStreetMap"),
        "place": _("Location"),
        "photo": _("Photo"),
        "sticker": _("Sticker"),
        "voice": _("Voice message"),
        "blocked": _("You have blocked the bot."),
        "block": _("Block the bot"),
        "unblock": _("Unblock the bot"),
        "no_messages": _("No messages yet"),
        "you": _("You"),
        "about": _("What can this bot do?"),
        "failed": _("That did not work:"),
        "no_answer": _("The bot has not answered the button yet."),
        "opens": _("opens a new page"),
    }


def _mailbox_texts() -> dict[str, str]:
    return {
        "empty": _("No mail yet. The city writes when a booking needs your confirmation."),
        "choose": _("Choose a mail to read it."),
        "from": _("From"),
        "to": _("To"),
        "sent": _("Sent"),
        "city": _("City of Munich (practice)"),
        "unreachable": _("The sandbox does not answer. Trying again …"),
    }
