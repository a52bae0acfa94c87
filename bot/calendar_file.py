"""An appointment as a file for calendars. `icalendar` writes it, so folding, escaping and zones are right."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from icalendar import Alarm, Calendar, Event, vGeo

from appointments.models import Booking
from bot.dates import MUNICH

FILE_NAME = "appointment.ics"
# The city does not say how long it takes; half an hour is what most take.
LENGTH = timedelta(minutes=30)


def calendar_file(booking: Booking, now: datetime) -> bytes:
    """The .ics file of a confirmed appointment, in Munich's zone, with an alarm the day before.

    It holds no key and no number with which anybody could change the appointment. `now` (aware) becomes its stamp.
    """
    office = booking.office
    event = Event()
    event.add("uid", f"booking-{booking.pk}@munich-termin-automator")
    event.add("dtstamp", now)
    event.add("dtstart", booking.starts_at.astimezone(MUNICH))
    event.add("dtend", (booking.starts_at + LENGTH).astimezone(MUNICH))
    summary = f"{booking.main_service.name} · {office.name}"
    event.add(
        "summary", _("Practice: %(summary)s") % {"summary": summary} if settings.SIMULATED_CITY else summary
    )
    event.add("location", f"{office.name}, {office.address}" if office.address else office.name)
    event.add("description", _description(booking))
    event.add("status", "CONFIRMED")
    if office.latitude is not None and office.longitude is not None:
        event.add("geo", vGeo((office.latitude, office.longitude)))
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", summary)
    alarm.add("trigger", timedelta(days=-1))
    event.add_component(alarm)
    calendar = Calendar()
    calendar.add("prodid", "-//Munich Termin Automator//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _description(booking: Booking) -> str:
    lines = []
    if booking.display_number:
        lines.append(_("Your number: %(number)s") % {"number": booking.display_number})
    lines.append(_("Bring your ID and what the city's mail names."))
    return "\n".join(lines)
