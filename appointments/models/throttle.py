"""State that keeps all processes and hosts in step: the gate, breakers, leases, signs of life."""

from dataclasses import fields

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.limits import Ledger

LEDGER_FIELDS = tuple(field.name for field in fields(Ledger))


class GateState(models.Model):
    """How much of the city's limit one egress address has used, counted the way the city counts.

    The city restarts its 60 s window with every accepted call, so calls add up until 60 s of quiet.
    """

    egress = models.CharField(_("address towards the city"), max_length=60, unique=True)
    limit = models.PositiveIntegerField(_("the city's limit"), default=60)
    round_cap = models.PositiveIntegerField(_("calls per round"), default=40)
    used = models.PositiveIntegerField(_("calls of this round"), default=0)
    rounds = models.PositiveBigIntegerField(_("rounds so far"), default=0)
    last_call_at = models.DateTimeField(_("last call"), null=True, blank=True)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    pause_reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    refused_at = models.DateTimeField(_("last refused by the city"), null=True, blank=True)
    refusals = models.PositiveIntegerField(_("refusals in a row"), default=0)
    # {kind: [calls left, when that was in Unix seconds]}
    buckets = models.JSONField(_("calls left by kind"), default=dict, blank=True)
    line = models.CharField(_("call under way"), max_length=16, blank=True, default="")
    line_until = models.DateTimeField(_("line kept until"), null=True, blank=True)
    watched_at = models.DateTimeField(_("last look at a calendar"), null=True, blank=True)
    day = models.CharField(_("day counted"), max_length=10, blank=True, default="")
    used_today = models.PositiveIntegerField(_("calls of this day"), default=0)
    recent_ms = models.FloatField(_("answers take lately, ms"), null=True, blank=True)
    usual_ms = models.FloatField(_("answers usually take, ms"), null=True, blank=True)
    measured = models.PositiveIntegerField(_("answers measured"), default=0)
    captcha_cost = models.PositiveBigIntegerField(_("cost of the last captcha"), null=True, blank=True)
    usual_captcha_cost = models.PositiveBigIntegerField(_("usual cost of a captcha"), null=True, blank=True)
    slowed_at = models.DateTimeField(_("last slowed down by ourselves"), null=True, blank=True)
    slowed_round = models.PositiveBigIntegerField(_("in round"), default=0)
    slow_reason = models.CharField(_("because of"), max_length=20, blank=True, default="")
    # Rises with every change: whoever has an older one reads again before writing.
    version = models.PositiveBigIntegerField(_("version"), default=0)

    class Meta:
        verbose_name = _("request gate")
        verbose_name_plural = _("request gates")

    def __str__(self) -> str:
        return f"{self.egress}: {self.used}/{self.limit}"

    @property
    def ledger(self) -> Ledger:
        """What is written here, as `limits` reckons with it."""
        return Ledger(**{name: getattr(self, name) for name in LEDGER_FIELDS})


class CircuitBreaker(models.Model):
    """Stops asking for a while when asking keeps failing; one per kind of operation."""

    class State(models.TextChoices):
        CLOSED = "closed", _("closed: calls pass")
        OPEN = "open", _("open: no calls")
        HALF_OPEN = "half_open", _("half open: one probe")

    name = models.CharField(_("name"), max_length=40, unique=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CLOSED)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=100, blank=True, default="")
    by_hand = models.BooleanField(
        _("opened by hand"), default=False, help_text=_("Answers of the city do not close it.")
    )

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class StaffAlert(models.Model):
    """Something staff should know: raised once, told once, and over once it is."""

    class Told(models.TextChoices):
        DASHBOARD = "dashboard", _("shown on the dashboard")
        MAIL = "mail", _("by e-mail")
        CHAT = "chat", _("in the staff chat")

    key = models.CharField(_("about"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=30)
    subject = models.CharField(_("part"), max_length=60)
    reason = models.CharField(_("reason"), max_length=100, blank=True, default="")
    since = models.DateTimeField(_("bad since"))
    raised_at = models.DateTimeField(_("raised"))
    told = models.CharField(_("told"), max_length=10, choices=Told, default=Told.DASHBOARD)
    over_at = models.DateTimeField(_("over"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert for staff")
        verbose_name_plural = _("alerts for staff")
        indexes = [
            models.Index(fields=("since",), condition=models.Q(over_at=None), name="staff_alert_standing")
        ]

    def __str__(self) -> str:
        return self.key


class Lease(models.Model):
    """The right to be the only one who does something, until a moment; the epoch rises with every owner."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0)
    until = models.DateTimeField(_("until"), null=True, blank=True)
    # The computer that had it last, where that matters: started anew, it need not wait for what it left behind itself.
    # The database fills it in, too: while computers are brought up to date one by one, some do not know it yet.
    holder = models.CharField(_("computer"), max_length=100, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.name} #{self.epoch}"


class Heartbeat(models.Model):
    """When a part of the system last showed life."""

    name = models.CharField(_("part"), max_length=60, unique=True)
    at = models.DateTimeField(_("last sign of life"))
    detail = models.CharField(_("detail"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name
