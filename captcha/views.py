"""The page where a person solves the city's captcha: inside Telegram, or by a link for one person."""

import json
from datetime import datetime
from typing import Any

from csp.constants import NONCE, NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe
from django_ratelimit.decorators import ratelimit

from captcha import human
from captcha.init_data import InitDataRefused, user_id_of
from captcha.models import HumanTicket
from captcha.types import Transport

LARGEST_BODY = 64 * 1024
STATUS = {"unknown": 404, "used": 410, "expired": 410, "owner": 403, "unreadable": 400}
# For this page alone: the widget computes in a worker made from a blob and brings a style element, which the nonce
# admits; Telegram's web client shows Mini Apps in a frame.
PAGE_POLICY: dict[str, list[Any]] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF, NONCE],
    "worker-src": ["blob:"],
    "img-src": [SELF],
    "connect-src": [SELF],
    "form-action": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [SELF, "https://web.telegram.org"],
}


@require_safe
@never_cache
@xframe_options_exempt
@csp(PAGE_POLICY)
@ratelimit(key="ip", rate="60/m")
def solve(request: HttpRequest, ticket: str) -> HttpResponse:
    """The page itself. It fetches no challenge: a preview or a scanner that follows the link costs nothing."""
    now = timezone.now()
    try:
        found = human.ticket_of(ticket, now)
    except human.PageRefused as refused:
        with translation.override(_language_of(ticket)):
            context = {"problem": words_for(refused), "city": settings.CITY_BOOKING_PAGE}
            return render(request, "captcha/solve.html", context, status=STATUS.get(refused.reason, 200))
    with translation.override(found.language):
        context = {
            "start": reverse("captcha:start", args=(ticket,)),
            "hand_in": reverse("captcha:hand-in", args=(ticket,)),
            "city": settings.CITY_BOOKING_PAGE,
        }
        return render(request, "captcha/solve.html", context)


@require_safe
@never_cache
@staff_member_required(login_url="admin:login")
@ratelimit(key="ip", rate="20/m")
def staff(request: HttpRequest) -> HttpResponse:
    """Staff solve one themselves: to a page made for their session."""
    site = import_string(settings.CAPTCHA_SITE)()
    language = translation.get_language() or settings.LANGUAGE_CODE
    ticket = human.issue_ticket(site, f"staff:{request.user.pk}", language=language, now=timezone.now())
    return redirect("captcha:solve", ticket=ticket)


@require_POST
@csrf_exempt  # ticket and Telegram's signature say who asks; cookies of a frame inside Telegram are unreliable
@never_cache
@ratelimit(key="ip", rate="30/m")
@sensitive_variables("body", "ticket")
def start(request: HttpRequest, ticket: str) -> JsonResponse:
    """`{"challenge": ...}` to be solved, or `{"watched": text}`, or `{"problem": text}`."""
    now = timezone.now()
    try:
        found = _checked(request, ticket, _body(request), now)
        with translation.override(found.language):
            answer = human.challenge_for(found, transport(), now)
            if isinstance(answer, human.Watched):
                return JsonResponse({"watched": watched_until(answer.until)})
            return JsonResponse({"challenge": answer})
    except human.PageRefused as refused:
        return _problem(refused, ticket)


@require_POST
@csrf_exempt
@never_cache
@ratelimit(key="ip", rate="30/m")
@sensitive_variables("body", "ticket")
def hand_in(request: HttpRequest, ticket: str) -> JsonResponse:
    """`{"watched": text, "next": address}`, or `{"problem": text}` with `next` where another try makes sense."""
    now = timezone.now()
    body = _body(request)
    try:
        found = _checked(request, ticket, body, now)
    except human.PageRefused as refused:
        return _problem(refused, ticket)
    with translation.override(found.language):
        try:
            watched = human.hand_in(found, body.get("payload"), transport(), now)
        except human.PageRefused as refused:
            again = refused.reason in ("refused", "unclear")
            return _problem(refused, ticket, human.follow_up(found, now) if again else "")
        following = reverse("captcha:solve", args=(human.follow_up(found, now),))
        return JsonResponse({"watched": watched_until(watched.until), "next": following})


def transport() -> Transport:
    """The way to the city, made where settings become objects; named by a setting, because imports point one way."""
    made: Transport = import_string(settings.CAPTCHA_TRANSPORT)()
    return made


def watched_until(until: datetime) -> str:
    """What the person has achieved."""
    return _("Thank you. Offices with a captcha are watched until %(time)s.") % {
        "time": f"{timezone.localtime(until):%H:%M}"
    }


def words_for(refused: human.PageRefused) -> str:
    """A refusal in plain words of the present language."""
    at = f"{timezone.localtime(refused.retry_at):%H:%M}" if refused.retry_at else ""
    words = {
        "unknown": _("This link is not known here. Go back to the chat and press the button again."),
        "used": _("This link has been used already. Go back to the chat and press the button again."),
        "expired": _("This link is older than ten minutes. Go back to the chat and press the button again."),
        "owner": _("This link was made for somebody else. Open it from your own chat with the bot."),
        "off": _("Captchas are switched off here at the moment."),
        "blocked": _("The people who run this service have stopped captchas for now."),
        "busy": _("Somebody else is solving one for everybody right now. One moment, please."),
        "later": _("We have asked the city for many captchas lately. Please try again at %(time)s.")
        % {"time": at}
        if at
        else _("We have asked the city often just now. Please try again in a minute."),
        "city": _("The city's captcha does not answer. Please try again in a minute."),
        "elsewhere": _("The city wants something that only its own page can show. Please book there."),
        "refused": _("The city did not take the solution. Please try once more."),
        "unclear": _("The city gave no clear answer. Please try once more."),
        "unreadable": _("Something was missing. Please open the page again from the chat."),
    }
    return words[refused.reason]


def _checked(request: HttpRequest, text: str, body: dict[str, Any], now: datetime) -> HumanTicket:
    """The ticket, if whoever asks is its owner. Raises `PageRefused`."""
    ticket = human.ticket_of(text, now)
    if ticket.needs_proof and _proven(request, body, ticket.owner, now) != ticket.owner:
        raise human.PageRefused("owner")
    return ticket


def _proven(request: HttpRequest, body: dict[str, Any], owner: str, now: datetime) -> str:
    """Who asks, as far as it is proven; "" for nobody."""
    if owner.startswith("staff:"):
        user = request.user
        return f"staff:{user.pk}" if user.is_active and user.is_staff else ""
    init_data = body.get("initData")
    try:
        return f"telegram:{user_id_of(str(init_data or ''), settings.TELEGRAM_BOT_TOKEN, now)}"
    except InitDataRefused:
        return ""


def _body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that came; an empty one for anything else."""
    try:
        if int(request.headers.get("Content-Length") or 0) > LARGEST_BODY:
            return {}
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _problem(refused: human.PageRefused, text: str, following: str = "") -> JsonResponse:
    with translation.override(_language_of(text)):
        answer: dict[str, Any] = {"problem": words_for(refused), "reason": refused.reason}
    if following:
        answer["next"] = reverse("captcha:solve", args=(following,))
    # A problem told in plain words is an answer; the page reads it whatever the status.
    return JsonResponse(answer, status=STATUS.get(refused.reason, 200))


def _language_of(text: str) -> str:
    """The language of whoever a ticket was made for, also when it is no longer good; else the visitor's."""
    found = (
        HumanTicket.objects.filter(digest=human.digest_of(text)).values_list("language", flat=True).first()
    )
    return found or translation.get_language() or settings.LANGUAGE_CODE
