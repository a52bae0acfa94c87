"""State that keeps all processes and hosts in step: the gate, breakers, leases, signs of life."""

from django.db import models
from django.utils.translation import gettext_lazy as _


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

    class Meta:
        verbose_name = _("request gate")
        verbose_name_plural = _("request gates")

    def __str__(self) -> str:
        return f"{self.egress}: {self.used}/{self.limit}"


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

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class Lease(models.Model):
    """The right to be the only one who does something, until a moment; the epoch rises with every owner."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0)
    until = models.DateTimeField(_("until"), null=True, blank=True)

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
