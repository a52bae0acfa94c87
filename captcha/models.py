"""One row per site: the present token, who is fetching the next one, and what went wrong lately."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from termin_project.encryption import EncryptedTextField

COST_COUNTS_FOR = timedelta(minutes=30)


class CaptchaToken(models.Model):
    """The captcha token of one site, as a state machine with a lease.

    A site is one address of the city's API as seen from one of our addresses, because a token is bound to that pair and
    to nothing else. The token survives while the next one is fetched: whether it serves is a matter of its times.
    """

    class State(models.TextChoices):
        ABSENT = "absent", _("none yet")
        FETCHING = "fetching", _("asking for a challenge")
        SOLVING = "solving", _("solving")
        SUBMITTING = "submitting", _("handing in the solution")
        VALID = "valid", _("valid")
        NEEDS_HUMAN = "needs_human", _("needs a person")
        COOLDOWN = "cooldown", _("pausing")
        BLOCKED = "blocked", _("blocked until staff release it")

    class Source(models.TextChoices):
        NONE = "", _("none")
        SOLVE = "solve", _("solved by us")
        HUMAN = "human", _("solved by a person")
        ANSWER = "answer", _("given with an appointment")

    IN_FLIGHT = (State.FETCHING, State.SOLVING, State.SUBMITTING)

    site = models.CharField(_("site"), max_length=250, unique=True)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.ABSENT)
    since = models.DateTimeField(_("in this state since"), null=True, blank=True)

    token = EncryptedTextField(_("token"), blank=True, default="")
    source = models.CharField(_("source"), max_length=10, choices=Source, blank=True, default=Source.NONE)
    issued_at = models.DateTimeField(_("received"), null=True, blank=True)
    stale_at = models.DateTimeField(_("due for renewal"), null=True, blank=True)
    expires_at = models.DateTimeField(_("serves until"), null=True, blank=True)
    # Tells whether two tokens were made for the same address, without holding the address.
    address_digest = models.CharField(_("digest of the address"), max_length=16, blank=True, default="")

    lease_owner = models.CharField(_("lease holder"), max_length=32, blank=True, default="")
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)

    provider = models.CharField(_("scheme"), max_length=30, blank=True, default="")
    cost = models.PositiveBigIntegerField(_("cost of the last challenge"), null=True, blank=True)
    solve_ms = models.PositiveIntegerField(_("last solve, ms"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("counters tried"), null=True, blank=True)
    # [Unix seconds, milliseconds of solving] of each challenge of the last day, oldest first: the budget looks back.
    challenges = models.JSONField(_("challenges of the last day"), default=list, blank=True)

    # Hashes to be expected for each of the last challenges: what is usual, so that what is not stands out.
    works = models.JSONField(_("work of the last challenges"), default=list, blank=True)
    alarm_ratio = models.FloatField(_("cost against the usual"), null=True, blank=True)
    alarmed_at = models.DateTimeField(_("cost alarm at"), null=True, blank=True)

    failures = models.PositiveIntegerField(_("failed calls in a row"), default=0)
    cooldowns = models.PositiveIntegerField(_("pauses in a row"), default=0)
    refused_cooldowns = models.PositiveIntegerField(_("pauses after refusals in a row"), default=0)
    cooldown_until = models.DateTimeField(_("pause until"), null=True, blank=True)
    rejections = models.PositiveIntegerField(_("tokens rejected in a row"), default=0)
    rejected_at = models.DateTimeField(_("last token rejected"), null=True, blank=True)
    rejected_digest = models.CharField(
        _("address of the rejected token"), max_length=16, blank=True, default=""
    )
    last_error = models.CharField(_("last error"), max_length=80, blank=True, default="")
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    # Which captcha the city has, by its own details; without an end it is to be asked (`captcha.variants`).
    variant = models.CharField(_("captcha of the city"), max_length=10, blank=True, default="")
    variant_details = models.JSONField(_("its address"), default=dict, blank=True)
    variant_found_at = models.DateTimeField(_("found out"), null=True, blank=True)
    variant_until = models.DateTimeField(_("remembered until"), null=True, blank=True)
    # Names of the fields of a challenge nobody here knows, for staff; never their values.
    unknown_shape = models.CharField(_("unknown challenge"), max_length=300, blank=True, default="")

    class Meta:
        verbose_name = _("captcha token")
        verbose_name_plural = _("captcha tokens")
        constraints = [
            models.CheckConstraint(
                name="captcha_token_has_life",
                condition=Q(token="")
                | Q(issued_at__isnull=False, stale_at__isnull=False, expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="captcha_token_life_runs_forward",
                condition=Q(expires_at__isnull=True)
                | Q(
                    expires_at__gt=F("issued_at"), stale_at__lte=F("expires_at"), stale_at__gte=F("issued_at")
                ),
            ),
            models.CheckConstraint(
                name="captcha_token_valid_is_there",
                condition=~Q(state="valid") | ~Q(token=""),
            ),
            models.CheckConstraint(
                name="captcha_token_flight_has_lease",
                condition=~Q(state__in=("fetching", "solving", "submitting"))
                | (Q(lease_until__isnull=False) & ~Q(lease_owner="")),
            ),
            models.CheckConstraint(
                name="captcha_token_cooldown_has_end",
                condition=~Q(state="cooldown") | Q(cooldown_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site}: {self.state}"

    def serves(self, now: datetime) -> bool:
        """Whether there is a token that the city should still take."""
        return bool(self.token) and self.expires_at is not None and now < self.expires_at

    def is_stale(self, now: datetime) -> bool:
        """Whether the next demand should fetch a new one."""
        return self.stale_at is None or now >= self.stale_at

    def in_flight(self, now: datetime) -> bool:
        """Whether somebody is fetching a token and still holds the right to."""
        return self.state in self.IN_FLIGHT and self.lease_until is not None and now < self.lease_until

    def cost_alarm(self, now: datetime) -> float | None:
        """How many times the usual work a challenge was in the last half hour, if ten times or more; else None."""
        if self.alarmed_at is None or now - self.alarmed_at > COST_COUNTS_FOR:
            return None
        return self.alarm_ratio

    @property
    def usual_work(self) -> int | None:
        """The lower quartile of the remembered challenges' work, in hashes; None before the first."""
        ordered = sorted(self.works)
        return ordered[len(ordered) // 4] if ordered else None

    def challenges_since(self, moment: datetime) -> list[list[int]]:
        """The challenges asked for after `moment`, as [Unix seconds, milliseconds of solving]."""
        return [entry for entry in self.challenges if entry[0] > moment.timestamp()]

    def solving_since(self, moment: datetime) -> timedelta:
        """Time spent on solving after `moment`."""
        return timedelta(milliseconds=sum(entry[1] for entry in self.challenges_since(moment)))


class CaptchaChoice(models.Model):
    """The operator's choice while everything runs: one row, which overrides the setting `CAPTCHA_MODE`."""

    class Mode(models.TextChoices):
        AS_SET = "", _("as CAPTCHA_MODE says")
        OFF = "off", _("off: guarded offices are neither watched nor booked")
        HUMAN = "human", _("human: only people solve, on our page")
        AUTO = "auto", _("auto: we compute the proof of work, people do what we cannot")

    mode = models.CharField(
        _("mode"),
        max_length=5,
        choices=Mode,
        blank=True,
        default=Mode.AS_SET,
        help_text=_(
            "The city's captcha is there against bots, so this is a choice to be made knowingly. "
            "It takes effect with the next request; 'off' also calls off a solve under way."
        ),
    )
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True)

    class Meta:
        verbose_name = _("captcha mode")
        verbose_name_plural = _("captcha mode")
        constraints = [models.CheckConstraint(name="captcha_choice_is_one_row", condition=Q(pk=1))]

    def __str__(self) -> str:
        return self.get_mode_display()


class HumanTicket(models.Model):
    """The right of one person to solve one challenge on our page: once, for ten minutes.

    Only a digest of the ticket rests here. `owner` names whom it was made for in the words of whoever made it
    ("telegram:<user id>" or "staff:<id>"); to the captcha app it is a name to compare.
    """

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    site = models.CharField(_("site"), max_length=250)
    owner = models.CharField(_("made for"), max_length=60)
    # Whether the holder has to prove to be the owner, by Telegram's signature or a staff session.
    needs_proof = models.BooleanField(_("holder is checked"), default=True)
    language = models.CharField(_("language"), max_length=5, default="en")
    created_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("good until"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    document = EncryptedTextField(_("challenge"), blank=True, default="")
    fetched_at = models.DateTimeField(_("challenge fetched"), null=True, blank=True)

    class Meta:
        verbose_name = _("captcha ticket")
        verbose_name_plural = _("captcha tickets")
        indexes = [models.Index(fields=("expires_at",), name="captcha_ticket_expiry")]

    def __str__(self) -> str:
        return f"#{self.pk}"
