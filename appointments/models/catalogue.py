"""What the city offers and where, as its catalogue says. Source: GET /offices-and-services/."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Office(models.Model):
    """A place of the city where appointments take place (Standort)."""

    upstream_id = models.IntegerField(_("number at the city"), unique=True)
    name = models.CharField(_("name"), max_length=300)
    street = models.CharField(_("street and number"), max_length=300, blank=True, default="")
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True, default="")
    city = models.CharField(_("city"), max_length=100, blank=True, default="")
    latitude = models.FloatField(_("latitude"), null=True, blank=True)
    longitude = models.FloatField(_("longitude"), null=True, blank=True)
    priority = models.IntegerField(_("priority"), default=1, help_text=_("Higher is listed first."))
    slots_per_appointment = models.PositiveIntegerField(_("slots per appointment"), null=True, blank=True)
    slot_minutes = models.PositiveIntegerField(_("minutes of one slot"), null=True, blank=True)
    disabled_services = models.JSONField(_("services not offered here"), default=list, blank=True)
    # The offices among which a choice made only of those services goes to the specialised one; [] where there is none.
    disabled_services_mix = models.JSONField(_("offices that share such services"), default=list, blank=True)
    shared_booking_offices = models.JSONField(_("offices booked as one"), default=list, blank=True)
    exclusive = models.BooleanField(
        _("no other office instead"),
        default=False,
        help_text=_("The city offers no other office in its place."),
    )
    # What the offices booked as one are called together: the name of the first of them; "" for an office of its own.
    place_name = models.CharField(_("name of the place"), max_length=300, blank=True, default="")
    bookable = models.BooleanField(_("bookable online"), default=True)

    # The rules of the office's scope: what it asks from a person and how long it waits.
    captcha_required = models.BooleanField(_("asks for a captcha"), default=False)
    email_required = models.BooleanField(_("asks for an e-mail address"), default=True)
    telephone_activated = models.BooleanField(_("asks for a telephone number"), default=False)
    telephone_required = models.BooleanField(_("insists on a telephone number"), default=False)
    custom_text_activated = models.BooleanField(_("asks its own question"), default=False)
    custom_text_required = models.BooleanField(_("insists on an answer"), default=False)
    custom_text_label = models.CharField(_("its question"), max_length=500, blank=True, default="")
    custom_text_2_activated = models.BooleanField(_("asks a second question"), default=False)
    custom_text_2_required = models.BooleanField(_("insists on a second answer"), default=False)
    custom_text_2_label = models.CharField(_("its second question"), max_length=500, blank=True, default="")
    reservation_minutes = models.PositiveIntegerField(_("minutes a reservation lasts"), null=True, blank=True)
    activation_minutes = models.PositiveIntegerField(
        _("minutes the mailed link works"), null=True, blank=True
    )
    appointments_per_mail = models.PositiveIntegerField(_("appointments per address"), null=True, blank=True)
    hint = models.TextField(_("way to the counter"), blank=True, default="")
    information = models.TextField(_("what to know before coming"), blank=True, default="")

    synced_at = models.DateTimeField(_("last seen in the catalogue"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("office")
        verbose_name_plural = _("offices")
        ordering = ("-priority", "name")

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Street, postal code and city on one line; empty when the catalogue gives none."""
        return ", ".join(part for part in (self.street, f"{self.postal_code} {self.city}".strip()) if part)

    @property
    def shown_name(self) -> str:
        """What people read: offices booked as one have one name."""
        return self.place_name or self.name


class Service(models.Model):
    """Something the city does for people by appointment (Dienstleistung)."""

    upstream_id = models.IntegerField(_("number at the city"), unique=True)
    name = models.CharField(_("name"), max_length=300)
    max_quantity = models.PositiveIntegerField(_("most per appointment"), default=1)
    # [[other service's number, [numbers of the offices where both are offered]], ...] in the city's order
    combinable = models.JSONField(_("combines with"), default=list, blank=True)
    parent_upstream_id = models.IntegerField(_("variant of"), null=True, blank=True)
    root_parent_upstream_id = models.IntegerField(_("family of variants"), null=True, blank=True)
    variant = models.IntegerField(_("kind of variant"), null=True, blank=True)
    on_start_page = models.BooleanField(_("on the city's start page"), default=True)
    synced_at = models.DateTimeField(_("last seen in the catalogue"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Offering(models.Model):
    """That an office offers a service, and how many of its slots one unit takes. The city says: relation."""

    office = models.ForeignKey(
        Office, on_delete=models.CASCADE, related_name="offerings", verbose_name=_("office")
    )
    service = models.ForeignKey(
        Service, on_delete=models.CASCADE, related_name="offerings", verbose_name=_("service")
    )
    slots = models.PositiveIntegerField(_("slots"), default=1)
    max_quantity = models.PositiveIntegerField(_("most per appointment"), null=True, blank=True)

    class Meta:
        verbose_name = _("offering")
        verbose_name_plural = _("offerings")
        constraints = [
            models.UniqueConstraint(fields=("service", "office"), name="offering_once_per_service_and_office")
        ]

    def __str__(self) -> str:
        return f"{self.service} · {self.office}"


class CatalogueState(models.Model):
    """When the catalogue was last fetched and what the city called that version. One row."""

    synced_at = models.DateTimeField(_("fetched"), null=True)
    last_modified = models.CharField(max_length=100, blank=True, default="")
    offices = models.PositiveIntegerField(default=0)
    services = models.PositiveIntegerField(default=0)
    last_error = models.CharField(_("last error"), max_length=100, blank=True, default="")
    refused_at = models.DateTimeField(
        _("not believed since"),
        null=True,
        blank=True,
        help_text=_("Since when the city's list has lacked so much that we keep the one before."),
    )
    refusal = models.CharField(_("what it lacked"), max_length=200, blank=True, default="")
    believe_next = models.BooleanField(
        _("believe the next list"), default=False, help_text=_("Set by staff, for one list.")
    )

    class Meta:
        verbose_name = _("catalogue")
        verbose_name_plural = _("catalogue")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="catalogue_state_is_one_row")]

    def __str__(self) -> str:
        return f"{self.services} services, {self.offices} offices"


class CatalogueChange(models.Model):
    """One difference between two catalogues of the city, kept as history and told to the people it concerns."""

    class Kind(models.TextChoices):
        NEW = "new", _("new")
        RENAMED = "renamed", _("renamed")
        WITHDRAWN = "withdrawn", _("withdrawn")
        RETURNED = "returned", _("returned")
        MOVED = "moved", _("moved")
        RULES = "rules", _("rules changed")

    kind = models.CharField(_("what happened"), max_length=10, choices=Kind)
    service = models.ForeignKey(
        Service,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="changes",
        verbose_name=_("service"),
    )
    office = models.ForeignKey(
        Office,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="changes",
        verbose_name=_("office"),
    )
    # Only what differs: {"name": ...} or {"address": ...} or the rules by name.
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("change of the catalogue")
        verbose_name_plural = _("changes of the catalogue")
        ordering = ("-at", "-pk")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(service=None, office__isnull=False)
                | models.Q(service__isnull=False, office=None),
                name="catalogue_change_is_about_one_thing",
            )
        ]
        indexes = [models.Index(fields=("-at",), name="catalogue_change_by_time")]

    def __str__(self) -> str:
        return f"{self.service or self.office}: {self.get_kind_display()}"
