"""What people wait for: searches (shared), watches (their own) and the requests that serve them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.catalogue import Office, Service
from appointments.models.subscriber import Profile, Subscriber
from appointments.upstream.types import ServiceCount

ALL_WEEKDAYS = 0b1111111  # Monday is bit 0
WHOLE_DAY = (ALL_WEEKDAYS, 0, 24 * 60)
# The city's own page looks this far ahead.
HORIZON = timedelta(days=180)


class Search(models.Model):
    """An ordered list of services with counts, main service first. Equal searches are one row."""

    key = models.CharField(
        _("services"), max_length=200, unique=True, help_text=_("Service number x count, main service first.")
    )
    main_service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="searches", verbose_name=_("main service")
    )
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("search")
        verbose_name_plural = _("searches")

    def __str__(self) -> str:
        return f"{self.main_service} ({self.key})"

    @staticmethod
    def key_for(services: tuple[ServiceCount, ...]) -> str:
        """The key of a list of services, such as `1063475x2,1063441x1`."""
        return ",".join(f"{item.service_id}x{item.count}" for item in services)

    @property
    def services(self) -> tuple[ServiceCount, ...]:
        """The services with counts, main service first."""
        pairs = (item.split("x") for item in self.key.split(","))
        return tuple(ServiceCount(service_id=int(service), count=int(count)) for service, count in pairs)

    @property
    def main_count(self) -> int:
        """How often the main service is wanted; for most services: how many persons."""
        return self.services[0].count


class Watch(models.Model):
    """A person's standing wish: a search, offices, days, hours, and what to do when a slot opens."""

    class Mode(models.TextChoices):
        NOTIFY = "notify", _("tell")
        HOLD = "hold", _("hold, then ask")
        AUTO = "auto", _("book")

    class State(models.TextChoices):
        ACTIVE = "active", _("watching")
        PAUSED = "paused", _("paused")
        FULFILLED = "fulfilled", _("appointment found")
        EXPIRED = "expired", _("window is over")
        DELETED = "deleted", _("deleted")

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="watches", verbose_name=_("person")
    )
    search = models.ForeignKey(
        Search, on_delete=models.PROTECT, related_name="watches", verbose_name=_("search")
    )
    mode = models.CharField(_("mode"), max_length=10, choices=Mode, default=Mode.NOTIFY)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE)

    any_office = models.BooleanField(_("any office"), default=False)
    date_from = models.DateField(_("not before"), null=True, blank=True)
    date_to = models.DateField(_("not after"), null=True, blank=True)
    rolling_days = models.PositiveSmallIntegerField(
        _("next days"), null=True, blank=True, help_text=_("Counted anew every day: today is day 0.")
    )
    # [[weekday mask, from minute, to minute], ...]; Monday is bit 0, minutes of the local day, end excluded
    hours = models.JSONField(_("hours"), default=list, blank=True)
    minimum_notice_minutes = models.PositiveIntegerField(_("minimum notice in minutes"), default=0)

    profile = models.ForeignKey(
        Profile,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="watches",
        verbose_name=_("for whom"),
        help_text=_("Empty: for the person themselves."),
    )
    veto_seconds = models.PositiveSmallIntegerField(
        _("seconds to object"), default=0, help_text=_("Before a slot is booked in mode `book`; 0: at once.")
    )
    resumes = models.BooleanField(
        _("goes on after a lapse"),
        default=True,
        help_text=_("Whether it goes on by itself when a mailed link was not opened in time."),
    )
    # After booking: look for an earlier appointment, so far ahead at least, so often at most, and not all the time.
    improve = models.BooleanField(_("improve"), default=False)
    improves = models.ForeignKey(
        "appointments.Booking",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="improving_watches",
        verbose_name=_("appointment to improve"),
    )
    improve_gain_days = models.PositiveSmallIntegerField(_("days gained at least"), default=1)
    improve_most_changes = models.PositiveSmallIntegerField(_("changes at most"), default=2)
    improve_quiet_hours = models.PositiveSmallIntegerField(
        _("hours between changes"), default=24, help_text=_("And before the appointment itself.")
    )

    created_at = models.DateTimeField(_("created"))
    waiting_since = models.DateTimeField(_("waiting since"))
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    blind_since = models.DateTimeField(
        _("blind since"),
        null=True,
        blank=True,
        help_text=_("Set when the person was told that we cannot see."),
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(date_from=None)
                | models.Q(date_to=None)
                | models.Q(date_to__gte=models.F("date_from")),
                name="watch_window_is_not_reversed",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("active", "paused"), ended_at=None)
                | models.Q(state__in=("fulfilled", "expired", "deleted"), ended_at__isnull=False),
                name="watch_end_matches_state",
            ),
        ]
        indexes = [models.Index(fields=("subscriber", "state"), name="watch_by_subscriber")]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def hour_windows(self) -> tuple[tuple[int, int, int], ...]:
        """(weekday mask, from minute, to minute) windows; the whole week when nothing was chosen."""
        return tuple((mask, start, end) for mask, start, end in self.hours) or (WHOLE_DAY,)

    def window(self, today: date) -> tuple[date, date]:
        """First and last acceptable local day as of `today`; the last may lie before the first: nothing left."""
        first = max(today, self.date_from or today)
        last = min(self.date_to or today + HORIZON, today + HORIZON)
        if self.rolling_days is not None:
            last = min(last, today + timedelta(days=self.rolling_days))
        return first, last

    def is_watching(self, now: datetime) -> bool:
        """Whether news is wanted at `now`."""
        return self.state == Watch.State.ACTIVE and not (self.snoozed_until and self.snoozed_until > now)


class WatchOffice(models.Model):
    """One (office, hours) line of a watch, spread out so that matching is one indexed query.

    Rows are derived from the watch by `services.watches.spread_watch`; nobody edits them.
    """

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="offices")
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="+")
    office = models.ForeignKey(Office, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)  # the person's order of preference
    date_from = models.DateField()
    date_to = models.DateField()
    weekday_mask = models.PositiveSmallIntegerField(default=ALL_WEEKDAYS)
    minute_from = models.PositiveSmallIntegerField(default=0)
    minute_to = models.PositiveSmallIntegerField(default=24 * 60)
    active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("office of a watch")
        verbose_name_plural = _("offices of watches")
        indexes = [
            # Matching: covers the whole query, so the table itself is never read.
            models.Index(
                fields=(
                    "search",
                    "office",
                    "date_to",
                    "date_from",
                    "weekday_mask",
                    "minute_from",
                    "minute_to",
                    "watch",
                    "active",  # SQLite reads the table for a column that only the condition names
                ),
                condition=models.Q(active=True),
                name="watch_office_match",
            )
        ]

    def __str__(self) -> str:
        return f"{self.watch_id} @ {self.office_id}"


class PollTarget(models.Model):
    """One request that is asked again and again: a sweep, or the detail of one day.

    Sweeps ask all offices any active watch of the search accepts; offices that need a captcha form a sweep of
    their own, so that the others never wait for a token.
    """

    class Kind(models.TextChoices):
        SWEEP = "sweep", _("sweep")
        DETAIL = "detail", _("detail of a day")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    search = models.ForeignKey(
        Search, on_delete=models.CASCADE, related_name="targets", verbose_name=_("search")
    )
    guarded = models.BooleanField(_("needs a captcha"), default=False)
    day = models.DateField(_("day"), null=True, blank=True)
    active = models.BooleanField(_("wanted"), default=True)
    wanted_since = models.DateTimeField(
        _("wanted since"),
        null=True,
        blank=True,
        help_text=_("Since when somebody waits for its answers; older answers do not count."),
    )
    next_due_at = models.DateTimeField(_("due"))
    asked_at = models.DateTimeField(_("last asked"), null=True, blank=True)
    answered_at = models.DateTimeField(_("last answered"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=100, blank=True, default="")
    # {day: [office numbers]} of the last answer: what was bookable then
    days = models.JSONField(_("bookable days"), default=dict, blank=True)

    class Meta:
        verbose_name = _("request plan")
        verbose_name_plural = _("request plans")
        constraints = [
            models.UniqueConstraint(
                fields=("search", "guarded"), condition=models.Q(kind="sweep"), name="poll_target_one_sweep"
            ),
            models.UniqueConstraint(
                fields=("search", "guarded", "day"),
                condition=models.Q(kind="detail"),
                name="poll_target_one_detail",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="sweep", day=None) | models.Q(kind="detail", day__isnull=False),
                name="poll_target_detail_has_day",
            ),
        ]
        indexes = [
            models.Index(fields=("next_due_at",), condition=models.Q(active=True), name="poll_target_due")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.search_id} {self.day or ''}".strip()
