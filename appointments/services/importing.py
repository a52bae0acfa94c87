"""Looking after an appointment that was made on the city's page, by the link the city mails.

Source of the links: the city's page, `…#/appointment/<base64 of {"id","authKey"}>` and `…#/appointment/confirm/<same>`;
padding may be missing. Nothing is changed at the city: GET /appointment/ says what it is and where it stands.
"""

import base64
import binascii
import json
import re
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from appointments.errors import InvalidValue, NotAllowed
from appointments.models import Booking, BookingEvent, ImportRequest, Office, Service, Subscriber, Watch
from appointments.selectors.bookings import held_booking_of
from appointments.services.confirming import CONFIRMED_LOOK
from appointments.services.desk import Desk
from appointments.services.outbox import enqueue
from appointments.services.queueing import queue_task
from appointments.services.reserving import DEFAULT_ACTIVATION, DEFAULT_HOLD
from appointments.services.visits import next_reminder
from appointments.services.watches import search_for
from appointments.states import LIVE, BookingState
from appointments.upstream import types
from appointments.upstream.errors import (
    AppointmentNotFound,
    AuthKeyMismatch,
    GateClosed,
    RateLimited,
    Unavailable,
    UpstreamError,
)
from appointments.upstream.types import AppointmentKey, CallKind

S = BookingState
LONGEST_TEXT = 600
# The city's pages, and whatever lies below its name.
CITY_HOST = "muenchen.de"
MOST_AN_HOUR = 5
HOUR = timedelta(hours=1)
RETRY, PATIENCE = timedelta(seconds=15), timedelta(minutes=10)
FOLLOWED_EVERY = timedelta(minutes=1)
_KEY = re.compile(r"[0-9a-f]{4}|[0-9a-f]{64}")
_TYPED = re.compile(r"\D*?(\d{4,12})\D+?([0-9a-f]{64}|[0-9a-f]{4})\W*", re.IGNORECASE)
_LINK = re.compile(r"https?://\S+")
_IN_FRAGMENT = re.compile(r"/?appointment/(?:confirm/)?([A-Za-z0-9+/=_-]+)/?")
# The simulated city mails this shape, because its page is one of ours.
_IN_SANDBOX = re.compile(r"/sandbox/mailbox/confirm/([A-Za-z0-9+/=_-]+)/?")
STATES = {"reserved": S.RESERVED, "preconfirmed": S.PRECONFIRMED, "confirmed": S.CONFIRMED}


def looks_like_link(text: str) -> bool:
    """Whether `text` holds a link that opens an appointment, so that it is taken as such wherever it is typed."""
    return "/appointment/" in text or "/mailbox/confirm/" in text


def read_key(text: str) -> AppointmentKey:
    """Number and key from the city's link, or typed as two values.

    Raises `InvalidValue("link", "empty" | "too_long" | "other_host" | "damaged" | "no_link")`.
    """
    text = text.strip()
    if not text:
        raise InvalidValue("link", "empty")
    if len(text) > LONGEST_TEXT:
        raise InvalidValue("link", "too_long")
    if link := _LINK.search(text):
        return _from_link(link[0])
    if typed := _TYPED.fullmatch(text):
        return _checked(int(typed[1]), typed[2].lower())
    raise InvalidValue("link", "damaged" if looks_like_link(text) else "no_link")


def _from_link(link: str) -> AppointmentKey:
    try:
        parts = urlsplit(link)
    except ValueError:
        raise InvalidValue("link", "damaged") from None
    host = (parts.hostname or "").lower()
    ours = settings.SIMULATED_CITY and parts.netloc == urlsplit(settings.PUBLIC_URL).netloc
    if not ours and host != CITY_HOST and not host.endswith(f".{CITY_HOST}"):
        raise InvalidValue("link", "other_host")
    fragment = unquote(parts.fragment)
    found = _IN_FRAGMENT.fullmatch(fragment) or (ours and _IN_SANDBOX.fullmatch(unquote(parts.path)))
    if not found:
        raise InvalidValue("link", "damaged" if "appointment" in fragment or ours else "no_link")
    return _from_token(found[1])


def _from_token(token: str) -> AppointmentKey:
    """What the link ends in: base64 in either alphabet, with or without padding."""
    text = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        document = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        number, key = document["id"], document["authKey"]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise InvalidValue("link", "damaged") from None
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 12:
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(key, str):
        raise InvalidValue("link", "damaged")
    return _checked(number, key)


def _checked(number: int, key: str) -> AppointmentKey:
    if not 0 < number < 10**12 or not _KEY.fullmatch(key):
        raise InvalidValue("link", "damaged")
    return AppointmentKey(process_id=number, auth_key=key)


def request_import(subscriber: Subscriber, key: AppointmentKey, *, now: datetime) -> ImportRequest:
    """Have the city asked about the appointment behind `key`; news follow.

    Raises `NotAllowed` for a person who has not agreed, is paused, or has sent too many within an hour: keys are not
    to be tried out here.
    """
    if not subscriber.is_active:
        raise NotAllowed("no consent, or paused")
    with transaction.atomic():
        recent = ImportRequest.objects.filter(subscriber=subscriber, created_at__gt=now - HOUR)
        if recent.count() >= MOST_AN_HOUR:
            raise NotAllowed("too many")
        request = ImportRequest.objects.create(
            subscriber=subscriber,
            process_id=key.process_id,
            auth_key=key.auth_key,
            created_at=now,
            retry_at=now + RETRY,
        )
        queue_task("import_appointment", request.pk)
    return request


def import_appointment(request: ImportRequest, desk: Desk) -> Booking | None:
    """Ask the city and take the appointment in as it stands. Run twice, it acts once."""
    now = desk.clock()
    claimed = ImportRequest.objects.filter(pk=request.pk, done_at=None, retry_at=request.retry_at)
    if request.done_at is not None or not claimed.update(retry_at=now + RETRY * 4):
        return None
    key = AppointmentKey(process_id=request.process_id, auth_key=request.auth_key)
    try:
        appointment = desk.api.appointment(key, kind=CallKind.BOOKING)
    except (AppointmentNotFound, AuthKeyMismatch):
        _refuse(request, "unknown", now=desk.clock())
    except (GateClosed, RateLimited, Unavailable) as error:
        _later(request, error, now=desk.clock())
    except UpstreamError:
        _refuse(request, "city", now=desk.clock())
    else:
        desk.tokens.offer(appointment.captcha_token)
        return take_in(request, key, appointment, now=desk.clock())
    return None


def _later(request: ImportRequest, error: UpstreamError, *, now: datetime) -> None:
    """No answer: again soon, and for a while."""
    if request.created_at <= now - PATIENCE:
        _refuse(request, "city", now=now)
        return
    retry_at = getattr(error, "retry_at", None) or now + getattr(error, "retry_after", RETRY)
    ImportRequest.objects.filter(pk=request.pk, done_at=None).update(retry_at=retry_at)


def _refuse(request: ImportRequest, why: str, *, now: datetime, booking: Booking | None = None) -> None:
    with transaction.atomic():
        if not _settle(request, why, now=now):
            return
        enqueue(
            request.subscriber,
            "import_failed",
            now=now,
            booking=booking,
            payload={"why": why},
            dedup_key=f"import:{request.pk}",
            priority=7,
        )


def _settle(request: ImportRequest, outcome: str, *, now: datetime) -> bool:
    """The request is over, and its key with it."""
    mine = ImportRequest.objects.filter(pk=request.pk, done_at=None)
    return bool(mine.update(done_at=now, retry_at=None, auth_key="", outcome=outcome))


def take_in(
    request: ImportRequest, key: AppointmentKey, appointment: types.Appointment, *, now: datetime
) -> Booking | None:
    """A booking of ours for what the city shows, in its true state; None when it does not fit, which is told."""
    office = Office.objects.filter(upstream_id=appointment.office_id).first()
    main = appointment.services[0] if appointment.services else None
    service = Service.objects.filter(upstream_id=main.service_id).first() if main else None
    why, other = _obstacle(request.subscriber, key, appointment, office, service, now=now)
    if office is None or service is None or why:
        _refuse(request, why, now=now, booking=other)
        return None
    state = STATES[appointment.status]
    try:
        with transaction.atomic():
            if not _settle(request, "imported", now=now):
                return None
            return _create(request.subscriber, key, appointment, office, service, state, now=now)
    except IntegrityError:
        # Another booking of the same person was made in this very moment.
        _refuse(request, "booked" if state == S.CONFIRMED else "holding", now=now)
    return None


def _obstacle(
    subscriber: Subscriber,
    key: AppointmentKey,
    appointment: types.Appointment,
    office: Office | None,
    service: Service | None,
    *,
    now: datetime,
) -> tuple[str, Booking | None]:
    """Why it cannot be looked after here ("" if it can), and the booking of the same person that stands in its way."""
    if appointment.status not in STATES or appointment.starts_at is None:
        return "gone", None
    if appointment.starts_at <= now:
        return "past", None
    live = Booking.objects.filter(state__in=sorted(LIVE), ended_at=None)
    known = live.filter(process_id=key.process_id).first()
    if known is not None:
        mine = known.subscriber_id == subscriber.pk
        return ("known", known) if mine else ("other_chat", None)
    if office is None:
        return "office", None
    if service is None:
        return "service", None
    held = held_booking_of(subscriber) if appointment.status != "confirmed" else None
    if held is not None:
        return "holding", held
    same = live.filter(subscriber=subscriber, profile=None, main_service=service).first()
    return ("booked", same) if same is not None else ("", None)


def _create(
    subscriber: Subscriber,
    key: AppointmentKey,
    appointment: types.Appointment,
    office: Office,
    service: Service,
    state: BookingState,
    *,
    now: datetime,
) -> Booking:
    counted = [
        types.ServiceCount(item.service_id, min(25, max(1, item.count))) for item in appointment.services
    ]
    assert appointment.starts_at is not None
    confirmed = state == S.CONFIRMED
    # The city does not say when it was reserved: these are the latest possible ends, and nobody counts them down.
    hold = timedelta(minutes=office.reservation_minutes or 0) or DEFAULT_HOLD
    activation = timedelta(minutes=office.activation_minutes or 0) or DEFAULT_ACTIVATION
    booking = Booking.objects.create(
        subscriber=subscriber,
        search=search_for(tuple(counted), now=now),
        main_service=service,
        office=office,
        starts_at=appointment.starts_at,
        mode=Watch.Mode.HOLD,
        wish=Booking.Wish.ASK if state == S.RESERVED else Booking.Wish.BOOK,
        state=state,
        reason="imported",
        imported=True,
        created_at=now,
        state_since=now,
        process_id=key.process_id,
        auth_key=key.auth_key,
        display_number=appointment.display_number[:50],
        city_status=appointment.status,
        reserved_at=now if not confirmed else None,
        held_until=now + hold if state == S.RESERVED else None,
        activate_until=None if confirmed else now + activation,
        confirmed_at=now if confirmed else None,
        follow_at=now + (CONFIRMED_LOOK if confirmed else FOLLOWED_EVERY),
        remind_at=next_reminder(appointment.starts_at, now=now) if confirmed else None,
        # Before any data are sent the city shows a made-up address.
        family_name=appointment.family_name if state != S.RESERVED else "",
        email=appointment.email if state != S.RESERVED else "",
        telephone=appointment.telephone if state != S.RESERVED else "",
        custom_text=appointment.custom_text,
        custom_text_2=appointment.custom_text_2,
    )
    BookingEvent.objects.create(booking=booking, state=state, reason="imported", at=now)
    enqueue(
        subscriber,
        "appointment_imported",
        now=now,
        booking=booking,
        dedup_key=f"imported:{booking.pk}",
        priority=8,
    )
    return booking


def sweep_imports(*, now: datetime) -> int:
    """Queue requests that nobody has in hand, and forget those that are over. Returns how many were queued."""
    ImportRequest.objects.filter(created_at__lt=now - HOUR, done_at__isnull=False).delete()
    due = ImportRequest.objects.filter(done_at=None, retry_at__lte=now)
    found = 0
    for pk in due.values_list("pk", flat=True)[:200]:
        if due.filter(pk=pk).update(retry_at=now + RETRY):
            queue_task("import_appointment", pk)
            found += 1
    return found
