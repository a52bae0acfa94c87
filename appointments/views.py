"""Pages of the web process: where to go, is it working, and the staff's dashboard."""

from secrets import compare_digest
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited
from prometheus_client import CONTENT_TYPE_LATEST

from appointments.charts import hour_chart, minute_chart
from appointments.metrics import exposition
from appointments.models import CatalogueState, GateState
from appointments.selectors import health
from appointments.selectors.dashboard import overview

RETRY_AFTER_SECONDS = 60
LOOPBACK = frozenset({"127.0.0.1", "::1"})


# --- public ---------------------------------------------------------------------------------------


@require_safe
@ratelimit(key="ip", rate="120/m")
def home(request: HttpRequest) -> HttpResponse:
    """Where to go from here; only what exists in this installation."""
    return render(request, "appointments/home.html")


@require_safe
@never_cache
@ratelimit(key="ip", rate="60/m")
def status(request: HttpRequest) -> HttpResponse:
    """In plain words: does the watch see. Nothing about people."""
    now = timezone.now()
    sight = health.city_sight(now)
    context = {
        "sight": sight,
        "since": timesince(sight.since, now, depth=1),
        "gate": GateState.objects.filter(egress=settings.EGRESS_NAME).first(),
        "catalogue": CatalogueState.objects.filter(pk=1).first(),
        "missing": [name for name in health.missing(health.components(now)) if name != health.CITY],
    }
    return render(request, "appointments/status.html", context)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: this process answers. Touches neither the database nor the cache."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
@ratelimit(key="ip", rate="120/m")
def readyz(request: HttpRequest) -> JsonResponse:
    """JSON per component; 200 when web, bot, every queue and the city showed life lately, else 503 naming the rest."""
    parts = health.components(timezone.now())
    missing = health.missing(parts)
    body = {
        "status": "not ready" if missing else "ready",
        "missing": missing,
        "components": {
            part.name: {
                "ok": part.ok,
                "needed": part.needed,
                "detail": part.detail,
                "age_seconds": None if part.age is None else round(part.age.total_seconds(), 1),
            }
            for part in parts
        },
    }
    return JsonResponse(body, status=503 if missing else 200)


@require_safe
@never_cache
@ratelimit(key="ip", rate="120/m")
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text for staff, for the bearer of `METRICS_TOKEN`, and on loopback in a pure sandbox without one."""
    if not _may_read_metrics(request):
        response = HttpResponse(
            "Sign in as staff, or send the header Authorization: Bearer with METRICS_TOKEN.\n",
            content_type="text/plain; charset=utf-8",
            status=401,
        )
        response["WWW-Authenticate"] = "Bearer"
        return response
    return HttpResponse(exposition(timezone.now()), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    if token := settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if compare_digest(given.encode(), token.encode()):
            return True
    elif settings.SIMULATED_CITY and settings.SIMULATED_TELEGRAM:
        # Nothing real is counted here. Behind a proxy everybody seems to come from loopback, so those stay out.
        direct = "X-Forwarded-For" not in request.headers and "Forwarded" not in request.headers
        if direct and request.META["REMOTE_ADDR"] in LOOPBACK:
            return True
    return request.user.is_active and request.user.is_staff


# --- staff ------------------------------------------------------------------------------------------


def _live_context() -> dict[str, Any]:
    found = overview(timezone.now())
    hours = [(f"{timezone.localtime(hour.starts_at):%H}", hour.calls, hour.slots) for hour in found.hours]
    minutes = [
        (f"{timezone.localtime(m.starts_at):%H:%M}", m.watching, m.booking) for m in found.traffic.minutes
    ]
    return {"overview": found, "chart": hour_chart(hours), "minutes": minute_chart(minutes)}


@require_safe
@never_cache
@staff_member_required(login_url="admin:login")
def dashboard(request: HttpRequest) -> HttpResponse:
    """What is going on now; the page keeps itself up to date with `dashboard_live`."""
    return render(request, "appointments/dashboard.html", _live_context())


@require_safe
@never_cache
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """The moving part of the dashboard. 401 instead of a login page, because a script reads the answer."""
    if not (request.user.is_active and request.user.is_staff):
        return HttpResponse(status=401)
    return render(request, "appointments/_dashboard_live.html", _live_context())


def _typed_username(group: str, request: HttpRequest) -> str:
    return request.POST.get("username", "").strip().casefold()


@never_cache
@sensitive_post_parameters()
@ratelimit(key="ip", rate="10/m", method="POST")
@ratelimit(key="ip", rate="60/h", method="POST")
@ratelimit(key=_typed_username, rate="10/5m", method="POST")
def staff_login(request: HttpRequest) -> HttpResponse:
    """The admin's login, with a limit on attempts from one address and on one name."""
    return admin.site.login(request)


# --- when something is not as it should be -------------------------------------------------------------


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403, or 429 when the reason was the rate limit."""
    if isinstance(exception, Ratelimited):
        response = render(request, "429.html", {"seconds": RETRY_AFTER_SECONDS}, status=429)
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404, without telling which addresses exist."""
    return render(request, "404.html", status=404)


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500. Rendered without context processors: what failed may be what they read."""
    return render(None, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that was open too long."""
    return render(request, "403.html", {"stale_form": True}, status=403)
