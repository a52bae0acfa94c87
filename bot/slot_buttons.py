"""Free times as buttons, under news and on menus alike."""

from collections.abc import Sequence

from appointments.models import Slot
from bot import callback_data as cd
from bot import dates
from bot.effects import Button, Rows
from bot.keyboards import in_rows, shortened

OFFERED = 8  # times offered as buttons at once


def slot_label(slot: Slot, several_offices: bool) -> str:
    """A free time on a button: "Tue 24 Nov 15:20", and where, if there is more than one place."""
    label = f"{dates.show_day(dates.local(slot.starts_at).date())} {dates.show_time(slot.starts_at)}"
    return (
        shortened(f"{label} · {slot.office.shown_name.removeprefix('Bürgerbüro ')}")
        if several_offices
        else label
    )


def slot_buttons(slots: Sequence[Slot], watch_id: int) -> Rows:
    """Free times to press."""
    several = len({slot.office.shown_name for slot in slots}) > 1
    buttons = [Button(slot_label(slot, several), cd.BookSlot(slot.pk, watch_id)) for slot in slots]
    return in_rows(buttons, 1 if several else 2)


def move_buttons(slots: Sequence[Slot], booking_id: int) -> Rows:
    """Free times to press, to move an appointment to."""
    several = len({slot.office_id for slot in slots}) > 1
    buttons = [Button(slot_label(slot, several), cd.MoveTo(booking_id, slot.pk)) for slot in slots]
    return in_rows(buttons, 1 if several else 2)
