"""Messages to people."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from appointments.admin.acts import service_act
from appointments.models import OutboxMessage
from appointments.models.outbox import OVERTAKEN
from appointments.services.outbox import retry_message
from termin_project.staff_admin import Act, StaffAdmin


@admin.register(OutboxMessage)
class OutboxMessageAdmin(StaffAdmin):
    """Kind and state; the text is written only when a message is sent."""

    list_display = (
        "__str__",
        "person",
        "kind",
        "shown_state",
        "created_at",
        "available_at",
        "sent_at",
        "last_error",
    )
    list_filter = (
        ("sent_at", admin.EmptyFieldListFilter),
        ("failed_at", admin.EmptyFieldListFilter),
        "kind",
        "channel",
    )
    search_fields = ("=id", "=subscriber__id", "=booking__id", "=watch__id")
    search_help_text = _("Number of the message, person, booking or watch")
    date_hierarchy = "created_at"
    acts = (
        Act(
            "retry",
            _("Send again"),
            _("Tries once more to send a message that was not sent."),
            service_act(retry_message),
            icon="forward_to_inbox",
        ),
    )

    @display(description=_("person"), ordering="subscriber_id")
    def person(self, message: OutboxMessage) -> str:
        """Number of the person."""
        return f"#{message.subscriber_id}"

    @display(description=_("state"), label={"sent": "success", "failed": "danger", "waiting": "info"})
    def shown_state(self, message: OutboxMessage) -> tuple[str, str]:
        """Sent, given up or waiting."""
        if message.sent_at:
            return "sent", str(_("sent"))
        if message.last_error == OVERTAKEN:
            return "waiting", str(_("overtaken"))
        return ("failed", str(_("given up"))) if message.failed_at else ("waiting", str(_("waiting")))
