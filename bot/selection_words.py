"""What may be booked together and what not, and how long it takes, in words of the present language."""

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.errors import InvalidValue
from appointments.models import Office, Service
from appointments.selections import Problem, Reason, Selection
from appointments.selectors.catalogue import city_page, judge, services_named, telephone_in
from appointments.upstream.types import ServiceCount

# So many offices are named before it becomes a list nobody reads.
OFFICES_NAMED = 3


def counted(name: str, count: int) -> str:
    """A service besides the main one: its name, and how often if more than once."""
    return name if count == 1 else f"{name} × {count}"


def more_text(services: Sequence[ServiceCount]) -> list[str]:
    """The services besides the main one, by name."""
    if len(services) < 2:
        return []
    names = services_named(services)
    return [
        counted(names[item.service_id].name, item.count) for item in services[1:] if item.service_id in names
    ]


def whole_text(services: Sequence[ServiceCount]) -> str:
    """All services on one line, with their counts."""
    names = services_named(services)
    return " + ".join(
        counted(names[item.service_id].name, item.count) for item in services if item.service_id in names
    )


def duration_text(services: Sequence[ServiceCount], office_ids: Sequence[int] = ()) -> str:
    """ "15 minutes", or "15 to 45 minutes" where offices differ; "" where the city does not say."""
    verdict = judge(services)
    chosen = Office.objects.filter(pk__in=office_ids).values_list("upstream_id", flat=True)
    found = verdict.minutes(chosen) if office_ids else verdict.minutes()
    if found is None:
        return ""
    shortest, longest = found
    if shortest == longest:
        return ngettext("%(count)d minute", "%(count)d minutes", longest) % {"count": longest}
    return _("%(shortest)d to %(longest)d minutes, depending on the office") % {
        "shortest": shortest,
        "longest": longest,
    }


def variant_name(kind: int) -> str:
    """What a kind of variant is called on a button."""
    return {
        1: _("🏢 In person"),
        2: _("📞 By telephone"),
        3: _("🎥 By video"),
        4: _("👤 One person"),
        5: _("👪 Family"),
        6: _("Small client"),
        7: _("Large client"),
    }.get(kind, _("Another kind"))


def page_link(service: int | None = None, office: int | None = None) -> SafeString:
    """A link to the city's own page for this."""
    return format_html('<a href="{}">{}</a>', city_page(service, office), _("the city's page"))


def telephone(offices: Iterable[Office] = ()) -> str:
    """The number to call about these offices: their own if the city names one, else the city's; "" if none is set."""
    return telephone_in(offices) or settings.CITY_HOTLINE


# --- Why not -----------------------------------------------------------------------------------------------


def refusal_text(invalid: InvalidValue, services: Sequence[ServiceCount]) -> str:
    """Why a selection cannot be, in a sentence, with the nearest thing that can."""
    details = invalid.details
    try:
        problem = Problem(
            Reason(invalid.reason),
            _number(details.get("service")),
            _number(details.get("office")),
            _number(details.get("most")),
            _number(details.get("needed")),
        )
    except ValueError:
        return ""
    return problem_text(problem, services)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def problem_text(problem: Problem, services: Sequence[ServiceCount]) -> str:
    """The reason in a sentence."""
    names = services_named([*services, *([ServiceCount(problem.service)] if problem.service else [])])
    main = names.get(services[0].service_id) if services else None
    words = {
        "service": _called(names.get(problem.service or 0)),
        "main": _called(main),
        "office": _office_name(problem.office),
        "most": problem.most or 0,
        "needed": problem.needed or 0,
    }
    if problem.reason == Reason.COUNT and problem.office is not None:
        return _("%(office)s takes “%(service)s” at most %(most)d times in one appointment.") % words
    return {
        Reason.EMPTY: _("Please choose a service."),
        Reason.UNKNOWN: _("The city no longer offers “%(service)s” online. Please choose another service."),
        Reason.TWICE: _("“%(service)s” is named twice. Its number says how often."),
        Reason.COUNT: _("The city takes “%(service)s” at most %(most)d times in one appointment."),
        Reason.NOT_COMBINABLE: _(
            "The city does not book “%(service)s” together with “%(main)s”. Make a search of its own for it."
        ),
        Reason.NO_COMMON_OFFICE: _(
            "No office does “%(service)s” and “%(main)s” in one appointment. Make a search of its own for it."
        ),
        Reason.NOT_OFFERED: _("%(office)s does not do “%(service)s”. Please choose another office."),
        Reason.ELSEWHERE: _(
            "%(office)s leaves “%(service)s” to another counter. Please choose another office."
        ),
        Reason.TOO_LONG: _(
            "This takes too long for one appointment at %(office)s. Take fewer persons or services."
        ),
        Reason.NO_OFFICE: _("No office takes this online. Please choose other offices."),
    }[problem.reason] % words


def nearest_text(selection: Selection | None) -> str:
    """What can be booked instead; "" if nothing near can."""
    if not selection:
        return ""
    return _("Possible: %(selection)s.") % {"selection": whole_text(selection)}


def too_small_text(services: Sequence[ServiceCount]) -> str:
    """Offices that do these services, but not so much at once: "Not at Pasing: ..."; "" if all do."""
    verdict = judge(services)
    small = [problem for problem in verdict.refusals if problem.reason in (Reason.TOO_LONG, Reason.COUNT)]
    names = list(dict.fromkeys(_office_name(problem.office) for problem in small))
    if not names or verdict.problem is not None:
        return ""
    shown = ", ".join(names[:OFFICES_NAMED])
    if len(names) > OFFICES_NAMED:
        more = len(names) - OFFICES_NAMED
        shown += " " + ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}
    return _("Too much for one appointment at: %(offices)s.") % {"offices": shown}


def _called(service: Service | None) -> str:
    return service.name if service is not None else ""


def _office_name(number: int | None) -> str:
    office = Office.objects.filter(upstream_id=number).first() if number is not None else None
    return office.shown_name if office is not None else _("This office")
