"""A new watch: what, for how many, where. Days and hours, mode and summary have files of their own."""

from dataclasses import replace

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.models import Service
from appointments.selectors.catalogue import (
    TOPICS,
    catalogue_is_known,
    find_services,
    largest_count,
    popular_services,
)
from bot import callback_data as cd
from bot.drafts import Draft
from bot.effects import Button, Rows, Screen
from bot.flow import present
from bot.keyboards import SERVICES_PER_PAGE, in_rows, office_list, shortened
from bot.talk import Talk

# Which step asks for which point of the draft.
STEP_OF = {
    "service": "service",
    "count": "count",
    "offices": "offices",
    "days": "days",
    "hours": "hours",
    "mode": "mode",
}
FOUND = 6
LONGEST_QUERY = 80


def topic_name(topic: str) -> str:
    """What a topic's button says."""
    return {
        "moved": _("🏠 Moved here"),
        "id": _("🪪 ID card, passport"),
        "residence": _("🌍 Residence permit"),
        "car": _("🚗 Car, licence"),
        "family": _("👶 Family"),
        "other": _("⋯ More"),
    }.get(topic, topic)


def ask_next(talk: Talk, draft: Draft) -> None:
    """Show the next point that is not chosen yet, or the summary. Points without a choice are skipped."""
    if draft.service is not None and draft.count is None:
        service = _service_of(draft)
        if service is not None and largest_count(service) == 1:
            draft = replace(draft, count=1)
    if draft.count is not None and draft.offices is None:
        possible = draft.possible_offices()
        if not possible:
            talk.notice = _("This cannot be booked online at the moment.")
            draft = replace(draft, service=None)
        elif len(possible) == 1:
            draft = replace(draft, offices=())
    talk.go(STEP_OF.get(draft.open_point(), "summary"), draft=draft.as_json())
    present(talk)


def new(talk: Talk) -> None:
    """`/new`: a new search."""
    talk.begin("home")
    present(talk)


# --- What ------------------------------------------------------------------------------------------------


def home(talk: Talk) -> Screen:
    """The menu: what do you need?"""
    rows = topics()
    rows.append([Button(_("My searches"), cd.Go("watches")), Button(_("My appointments"), cd.Go("bookings"))])
    rows.append([Button(_("Settings"), cd.Go("settings")), Button(_("Help"), cd.Go("help"))])
    return Screen(format_html("<b>{}</b> {}", _("What do you need?"), _("Type a word, or choose.")), rows)


def service(talk: Talk) -> Screen:
    """The same question in the middle of a draft."""
    return Screen(
        format_html("<b>{}</b> {}", _("What do you need?"), _("Type a word, or choose.")),
        [*topics(), [leave(talk)]],
    )


def topics() -> Rows:
    """The topics as buttons."""
    return in_rows([Button(topic_name(topic), cd.Topic(topic)) for topic in TOPICS])


def leave(talk: Talk) -> Button:
    """The way out of a draft."""
    return Button(_("Cancel"), cd.Go("cancel"))


def choose_topic(talk: Talk, data: cd.Topic) -> None:
    """A topic was pressed."""
    if data.name not in TOPICS:
        present(talk)
        return
    talk.go("topic", topic=data.name, page=max(0, data.page))
    present(talk)


def topic(talk: Talk) -> Screen | None:
    """The services of one topic."""
    name = str(talk.memory.get("topic", ""))
    services = popular_services(name)
    pages = max(1, -(-len(services) // SERVICES_PER_PAGE))
    page = min(int(talk.memory.get("page", 0)), pages - 1)
    shown = services[page * SERVICES_PER_PAGE : (page + 1) * SERVICES_PER_PAGE]
    rows = service_rows(shown)
    if pages > 1:
        turn = [Button("‹", cd.Topic(name, page - 1))] if page else []
        turn.append(Button(f"{page + 1}/{pages}", cd.Nothing()))
        if page < pages - 1:
            turn.append(Button("›", cd.Topic(name, page + 1)))
        rows.append(turn)
    rows.append([Button(_("None of these"), cd.Go("service"))])
    if not services:
        return Screen(not_found(), rows)
    return Screen(format_html("<b>{}</b>\n{}", topic_name(name), _("Choose, or type a word.")), rows)


def not_found() -> str:
    """Nothing there, and why."""
    if not catalogue_is_known():
        return _("I do not know the city's list of services yet. Please try again in a minute.")
    return _("I found nothing like that.")


def service_rows(services: list[Service]) -> Rows:
    """Services one to a row, because their names are long."""
    return [[Button(shortened(item.name), cd.PickService(item.upstream_id))] for item in services]


def search(talk: Talk) -> None:
    """Typed words: which services do they mean?"""
    query = " ".join(talk.text.split())
    found = find_services(query, FOUND) if len(query) <= LONGEST_QUERY else []
    if not found:
        talk.notice = (
            _("This is too long. One or two words are enough.")
            if len(query) > LONGEST_QUERY
            else _("I found nothing for “%(words)s”.") % {"words": query}
            if catalogue_is_known()
            else not_found()
        )
        if talk.step not in ("service", "topic", "found"):
            talk.begin("home")
        else:
            talk.go("service")
        present(talk)
        return
    if not talk.memory.get("draft"):
        talk.begin("found")
    talk.go("found", found=[item.upstream_id for item in found])
    present(talk)


def found(talk: Talk) -> Screen | None:
    """What the words may mean."""
    ids = talk.memory.get("found", [])
    by_id = {item.upstream_id: item for item in Service.objects.filter(upstream_id__in=ids)}
    services = [by_id[number] for number in ids if number in by_id]
    if not services:
        return None
    rows = [*service_rows(services), [Button(_("None of these"), cd.Go("service"))]]
    return Screen(format_html("<b>{}</b>", _("I found:")), rows)


def pick_service(talk: Talk, data: cd.PickService) -> None:
    """A service was chosen."""
    chosen = Service.objects.filter(upstream_id=data.upstream_id, withdrawn_at=None).first()
    if talk.step not in ("found", "topic") or chosen is None:
        present(talk)
        return
    ask_next(talk, Draft.read(talk.memory).with_service(chosen))


# --- For how many ----------------------------------------------------------------------------------------


def count(talk: Talk) -> Screen | None:
    """How many persons?"""
    chosen = _service_of(Draft.read(talk.memory))
    if chosen is None:
        return None
    numbers = [Button(str(n), cd.Persons(n)) for n in range(1, largest_count(chosen) + 1)]
    html = format_html("<b>{}</b>\n{}", chosen.name, _("For how many persons?"))
    return Screen(html, [*in_rows(numbers, 5), [leave(talk)]])


def set_count(talk: Talk, data: cd.Persons) -> None:
    """A number was pressed."""
    _set_count(talk, data.count)


def type_count(talk: Talk) -> None:
    """A number was typed."""
    if not talk.text.isdecimal() or len(talk.text) > 3:
        talk.notice = _("Please type a number, or press one.")
        present(talk)
        return
    _set_count(talk, int(talk.text))


def _set_count(talk: Talk, number: int) -> None:
    draft = Draft.read(talk.memory)
    chosen = _service_of(draft)
    if talk.step != "count" or chosen is None:
        present(talk)
        return
    most = largest_count(chosen)
    if not 1 <= number <= most:
        talk.notice = _("The city takes 1 to %(most)d here.") % {"most": most}
        present(talk)
        return
    ask_next(talk, replace(draft, count=number))


def _service_of(draft: Draft) -> Service | None:
    return Service.objects.filter(upstream_id=draft.service).first() if draft.service is not None else None


# --- Where -----------------------------------------------------------------------------------------------


def offices(talk: Talk) -> Screen | None:
    """Where? With check marks."""
    draft = Draft.read(talk.memory)
    possible = draft.possible_offices()
    if not possible:
        return None
    chosen = talk.memory.get("chosen", list(draft.offices or ()))
    rows = office_list(possible, chosen, int(talk.memory.get("page", 0)))
    end = [Button(_("All"), cd.Done("offices", 1))]
    if chosen:
        end.append(Button(_("Next"), cd.Done("offices")))
    html = format_html("<b>{}</b>\n{}", _("Where?"), _("Choose one or more, or take all."))
    return Screen(html, [*rows, end, [leave(talk)]])


def pick_office(talk: Talk, data: cd.PickOffice) -> None:
    """A check mark was set or taken away."""
    draft = Draft.read(talk.memory)
    if talk.step == "offices" and data.office in {office.pk for office in draft.possible_offices()}:
        chosen = [pk for pk in talk.memory.get("chosen", list(draft.offices or ())) if pk != data.office]
        if data.on:
            chosen.append(data.office)
        talk.go("offices", chosen=chosen, page=data.page)
    present(talk)


def turn_offices(talk: Talk, data: cd.OfficePage) -> None:
    """The next page of offices."""
    if talk.step == "offices":
        talk.go("offices", page=max(0, data.page))
    present(talk)


def type_office(talk: Talk) -> None:
    """A typed word chooses the offices whose name or address holds it."""
    draft = Draft.read(talk.memory)
    said = talk.text.lower()[:LONGEST_QUERY]
    named = [o.pk for o in draft.possible_offices() if said in f"{o.name} {o.address}".lower()]
    if not said or not named:
        talk.notice = _("I know no such office for this. Please press the buttons.")
    else:
        chosen = talk.memory.get("chosen", list(draft.offices or ()))
        talk.go("offices", chosen=[*chosen, *(pk for pk in named if pk not in chosen)])
    present(talk)


def offices_done(talk: Talk, data: cd.Done) -> None:
    """The choice of offices is settled."""
    if talk.step != "offices":
        present(talk)
        return
    draft = Draft.read(talk.memory)
    chosen = () if data.all else tuple(talk.memory.get("chosen", draft.offices or ()))
    if not chosen and not data.all:
        talk.notice = _("Please choose at least one office.")
        present(talk)
        return
    talk.memory.pop("chosen", None)
    ask_next(talk, replace(draft, offices=chosen))


def nothing(talk: Talk, data: cd.Nothing) -> None:
    """A button that only fills a gap."""


SCREENS = {
    "home": home,
    "service": service,
    "topic": topic,
    "found": found,
    "count": count,
    "offices": offices,
}
TEXTS = {"count": type_count, "offices": type_office}
COMMANDS = {"new": new}
