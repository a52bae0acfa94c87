"""Contact data: asked one question at a time by the city's rules, seen, changed, erased.

The same questions serve the person who writes and those they book for (`profiles`).
"""

from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import InvalidValue
from appointments.models import Booking, Office, Profile
from appointments.selectors.profiles import profile_of
from appointments.services.bookings import answer_question
from appointments.services.contact import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    LONGEST_TEXT,
    SHORTEST_NAME,
    probably_meant,
    stored_data,
)
from appointments.services.names import MOST_CHANGES, WINDOW
from appointments.services.profiles import save_profile
from appointments.services.subscribers import forget_contact, save_contact
from bot import callback_data as cd
from bot.booking_talk import own_booking
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.keyboards import back_home
from bot.messages import BookingView, render
from bot.talk import Talk

FIELDS = ("family_name", "email", "telephone")
QUESTIONS = ("custom_text", "custom_text_2")


def missing_for_auto(talk: Talk, draft: Draft) -> list[str]:
    """What has to be known before a watch may book by itself."""
    known = stored_data(talk.person, profile_of(talk.person, draft.profile))
    missing = [field for field in ("family_name", "email") if not getattr(known, field)]
    chosen = [
        office for office in draft.possible_offices() if not draft.offices or office.pk in draft.offices
    ]
    if not known.telephone and any(office.telephone_required for office in chosen):
        missing.append("telephone")
    return missing


def ask(
    talk: Talk,
    fields: list[str],
    *,
    then: str,
    booking: Booking | None = None,
    profile: int | None = None,
) -> None:
    """Ask for `fields` one after another, then go on with `then`: "booking", "anew", "draft", "profile" or "person".

    They are asked about whoever `booking` is for, or about `profile`, or about the one who writes.
    """
    talk.interrupt("ask", fields=fields, then=then, booking=booking.pk if booking else None, profile=profile)
    present(talk)


def optional_questions(found: Booking, missing: tuple[str, ...]) -> list[str]:
    """The office's own questions that may stay empty: asked while we ask anyway, if there is a question at all."""
    office = found.office
    optional = {
        "custom_text": office.custom_text_activated and office.custom_text_label and not found.custom_text,
        "custom_text_2": office.custom_text_2_activated
        and office.custom_text_2_label
        and not found.custom_text_2,
    }
    return [field for field, wanted in optional.items() if wanted and field not in missing]


def _about(talk: Talk) -> Profile | None:
    """Whose data are asked; None: of the one who writes."""
    booking = _booking(talk)
    return booking.profile if booking is not None else profile_of(talk.person, talk.memory.get("profile"))


def _lost(talk: Talk) -> bool:
    """Whether the person it is about has been deleted meanwhile: their answers must not become anybody else's."""
    about = _about(talk)
    return about.erased_at is not None if about is not None else talk.memory.get("profile") is not None


def question(talk: Talk) -> Screen | None:
    """The next question."""
    fields = talk.memory.get("fields") or []
    if not fields or _lost(talk):
        return None
    field = str(fields[0])
    if talk.memory.get("doubt"):
        return _doubt(talk)
    booking = _booking(talk)
    office = booking.office if booking else None
    about = _about(talk)
    lines = [format_html("<b>{}</b>", _question_text(field, office, about))]
    if field == "family_name" and talk.memory.get("then") not in ("profile", "person"):
        lines.insert(0, format_html("{}\n", _("To book it the city wants a name and an e-mail address.")))
    if field == "email":
        lines.append(format_html("{}", _("The city does not accept addresses with a “+”.")))
    if booking is not None and booking.state == "reserved":
        view = BookingView(booking, talk.now)
        held = _("%(time)s is held until %(until)s.") % {"time": view.time, "until": view.held_until}
        lines.append(format_html("<i>{}</i>", held))
    rows = []
    if _own_will_do(talk, field, about):
        rows.append([Button(_("Take mine"), cd.Skip(field))])
    elif _may_be_empty(field, office):
        rows.append([Button(_("None"), cd.Skip(field))])
    rows.append([Button(_("Cancel"), cd.Go("cancel"))])
    return Screen(format_html("\n".join("{}" for _line in lines), *lines), rows)


def _doubt(talk: Talk) -> Screen | None:
    """An address that looks mistyped is asked about, because the city mails its link once."""
    email = _stored_email(talk)
    meant = probably_meant(email)
    if not meant:
        return None
    html = format_html(
        "<b>{}</b>\n{}",
        _("Did you mean %(email)s?") % {"email": meant},
        _("You typed: %(email)s") % {"email": email},
    )
    return Screen(html, [[Button(_("Yes"), cd.Meant(1)), Button(_("No, as I typed it"), cd.Meant(0))]])


def meant(talk: Talk, data: cd.Meant) -> None:
    """The doubt about an address is settled."""
    if talk.step != "ask" or not talk.memory.get("doubt") or _lost(talk):
        present(talk)
        return
    likelier = probably_meant(_stored_email(talk))
    if data.yes and likelier:
        _save(talk, "email", likelier)
    talk.memory.pop("doubt", None)
    _next_question(talk, list(talk.memory.get("fields") or [])[1:])


def _stored_email(talk: Talk) -> str:
    about = _about(talk)
    return about.email if about is not None else talk.person.email


def _own_will_do(talk: Talk, field: str, about: Profile | None) -> bool:
    """Whether the writer's own address or telephone serves the person it is about."""
    return about is not None and field in ("email", "telephone") and bool(getattr(talk.person, field))


def _question_text(field: str, office: Office | None, about: Profile | None) -> str:
    if about is not None and field in FIELDS:
        asked = {
            "family_name": _("%(who)s: the full name, as in the passport?"),
            "email": _("%(who)s: the e-mail address?"),
            "telephone": _("%(who)s: the telephone number?"),
        }
        return asked[field] % {"who": about.label}
    if field == "family_name":
        return _("Your full name, as in your passport?")
    if field == "email":
        return _("Your e-mail address?")
    if field == "telephone":
        return _("Your telephone number?")
    label = ""
    if office is not None:
        label = office.custom_text_label if field == "custom_text" else office.custom_text_2_label
    return _("This office also asks: “%(question)s”") % {"question": label or _("Remarks")}


def _may_be_empty(field: str, office: Office | None) -> bool:
    if office is None:
        return field == "telephone"
    return {
        "telephone": not office.telephone_required,
        "custom_text": not office.custom_text_required,
        "custom_text_2": not office.custom_text_2_required,
    }.get(field, False)


def answer(talk: Talk) -> None:
    """A question was answered by typing."""
    fields = list(talk.memory.get("fields") or [])
    if not fields or _lost(talk):
        present(talk)
        return
    field = str(fields[0])
    talk.memory.pop("doubt", None)
    try:
        _save(talk, field, talk.incoming.text or "")
    except InvalidValue as invalid:
        talk.notice = invalid_text(invalid)
        present(talk)
        return
    if field == "email" and probably_meant(_stored_email(talk)):
        talk.go("ask", doubt=True)
        present(talk)
        return
    _next_question(talk, fields[1:])


def skip(talk: Talk, data: cd.Skip) -> None:
    """[None] was pressed."""
    fields = list(talk.memory.get("fields") or [])
    booking = _booking(talk)
    if talk.step != "ask" or not fields or fields[0] != data.field or _lost(talk):
        present(talk)
        return
    about = _about(talk)
    if about is not None and _own_will_do(talk, data.field, about):
        save_profile(about, **{data.field: ""}, now=talk.now)
        _next_question(talk, fields[1:])
    elif _may_be_empty(data.field, booking.office if booking else None):
        if data.field == "telephone" and about is not None:
            save_profile(about, telephone="", now=talk.now)
        elif data.field == "telephone":
            save_contact(talk.person, telephone="", now=talk.now)
        _next_question(talk, fields[1:])
    else:
        present(talk)


def _save(talk: Talk, field: str, text: str) -> None:
    if field in FIELDS:
        if field == "telephone" and not text.strip():
            raise InvalidValue(field, "empty")
        about = _about(talk)
        if about is not None:
            if field == "email" and not text.strip():
                raise InvalidValue(field, "empty")
            save_profile(about, **{field: text}, now=talk.now)
        else:
            save_contact(talk.person, **{field: text}, now=talk.now)
        return
    booking = _booking(talk)
    if booking is not None and field in QUESTIONS:
        answer_question(booking, **{field: text}, now=talk.now)


def _next_question(talk: Talk, fields: list[str]) -> None:
    if fields:
        talk.go("ask", fields=fields)
        present(talk)
        return
    then, booking = str(talk.memory.get("then", "")), talk.memory.get("booking")
    if then in ("booking", "anew") and booking is not None:
        talk.go("check" if then == "booking" else "anew", booking=booking)
    else:
        profile_id = talk.memory.get("profile")
        talk.end()
        if then in ("profile", "person"):
            talk.notice = _("Saved.")
            talk.begin(then, profile=profile_id)
    present(talk)


def invalid_text(invalid: InvalidValue) -> str:
    """Why an answer cannot be sent to the city, and what to do instead."""
    kind = "custom_text" if invalid.field in QUESTIONS else invalid.field
    sentences = {
        ("family_name", "empty"): _("Please type your name."),
        ("family_name", "too_short"): _("The city wants a name of at least %(count)d letters.")
        % {"count": SHORTEST_NAME},
        ("family_name", "too_long"): _("The city takes at most %(count)d letters. Please shorten the name.")
        % {"count": LONGEST_NAME},
        ("family_name", "emoji"): _("The city does not accept emoji in a name."),
        ("family_name", "letters_only"): _("The city accepts only letters, blanks and hyphens in a name."),
        ("email", "empty"): _("Please type your e-mail address."),
        ("email", "too_long"): _("The city takes addresses of at most %(count)d characters.")
        % {"count": LONGEST_EMAIL},
        ("email", "plus_address"): _("The city does not accept addresses with a “+”. Please type another."),
        ("email", "not_an_address"): _("This is no e-mail address. Please type it like name@example.org."),
        ("telephone", "empty"): _("Please type your telephone number."),
        ("telephone", "digits_only"): _("Please type the number with digits only, like 089 1234567."),
        ("telephone", "too_few_digits"): _("This number is too short. Please type it with its area code."),
        ("telephone", "too_many_digits"): _("This number is too long. The city takes 15 digits at most."),
        ("custom_text", "empty"): _("The office needs an answer here."),
        ("custom_text", "too_long"): _("The office takes at most %(count)d characters. Please shorten it.")
        % {"count": LONGEST_TEXT},
        ("custom_text", "emoji"): _("The city does not accept emoji here."),
    }
    if (kind, invalid.reason) == ("family_name", "in_use"):
        return _("An appointment stands under the present name. It cannot be passed on to another person.")
    if (kind, invalid.reason) == ("family_name", "too_many_names"):
        return " ".join(
            [
                _("The name can change %(count)d times in %(days)d days.")
                % {"count": MOST_CHANGES, "days": WINDOW.days},
                _("For another person, choose “Family and friends”."),
                _("Somebody helps you here: %(contact)s") % {"contact": settings.OPERATOR_CONTACT}
                if settings.OPERATOR_CONTACT
                else "",
            ]
        ).strip()
    return sentences.get(
        (kind, invalid.reason), _("The city does not accept this. Please type it differently.")
    )


# --- Seen, changed, erased -------------------------------------------------------------------------------


def profile(talk: Talk) -> Screen:
    """What is kept for the city."""
    person = talk.person
    rows = [
        [Button(_("Change name"), cd.Ask("family_name")), Button(_("Change e-mail"), cd.Ask("email"))],
        [Button(_("Change telephone"), cd.Ask("telephone"))],
        [Button(_("Family and friends"), cd.PersonAct("list"))],
    ]
    if person.family_name or person.email or person.telephone:
        rows.append([Button(_("Erase this data"), cd.Go("erase_contact"))])
    return Screen(render("profile", person=person), [*rows, [back_home()]])


def erase_contact(talk: Talk) -> Screen:
    """Really erase the contact data?"""
    html = format_html(
        "<b>{}</b>\n{}",
        _("Erase your name, e-mail and telephone?"),
        _("Appointments you have stay. Searches that book by themselves will ask you first."),
    )
    return Screen(
        html, [[Button(_("No, keep it"), cd.Go("profile"))], [Button(_("Yes, erase"), cd.Erase("contact"))]]
    )


def erase_now(talk: Talk) -> None:
    """Second thought given: the contact data go."""
    if talk.step == "erase_contact":
        forget_contact(talk.person)
        talk.notice = _("Erased.")
        talk.begin("profile")
    present(talk)


def ask_field(talk: Talk, data: cd.Ask) -> None:
    """One field is to be changed, from the profile or from the check before sending."""
    if data.field not in FIELDS + QUESTIONS:
        present(talk)
    elif talk.step == "fix" and talk.memory.get("booking") is not None:
        talk.go("ask", fields=[data.field], then="booking")
        present(talk)
    elif talk.step == "profile" and data.field in FIELDS:
        ask(talk, [data.field], then="profile")
    else:
        present(talk)


def _booking(talk: Talk) -> Booking | None:
    return own_booking(talk, talk.memory.get("booking"))


SCREENS = {"ask": question, "profile": profile, "erase_contact": erase_contact}
TEXTS = {"ask": answer}
