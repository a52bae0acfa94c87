"""What people type, and the service that comes first; against the catalogue of the simulated city."""

import pytest

from appointments.models import Service
from appointments.selectors.catalogue import (
    TOPICS,
    bookable_services,
    find_services,
    largest_count,
    may_be_combined,
    offices_for,
    plain,
    popular_services,
)
from appointments.upstream.types import ServiceCount
from tests.conftest import REGISTER, RUPPERT, Office

EVERYDAY = [
    ("anmeldung", "Wohnsitzanmeldung"),
    ("anmelden wohnung", "Wohnsitzanmeldung"),
    ("Umzug", "Wohnsitzanmeldung"),
    ("register address", "Wohnsitzanmeldung"),
    ("register adress", "Wohnsitzanmeldung"),
    ("I moved", "Wohnsitzanmeldung"),
    ("new flat", "Wohnsitzanmeldung"),
    ("familie anmelden", "Wohnsitzanmeldung – Familie"),
    ("personalausweis", "Personalausweis"),
    ("personlausweis", "Personalausweis"),
    ("perso", "Personalausweis"),
    ("id card", "Personalausweis"),
    ("Reisepass", "Reisepass"),
    ("reispass", "Reisepass"),
    ("passport", "Reisepass"),
    ("pasport", "Reisepass"),
    ("temporary passport", "Vorläufiger Reisepass"),
    ("vorläufiger Reisepass", "Vorläufiger Reisepass"),
    ("lost id card", "Verlust oder Diebstahl Personalausweis"),
    ("passport stolen", "Verlust oder Diebstahl Reisepass"),
    ("pick up passport", "Abholung Personalausweis, Reisepass oder eID-Karte"),
    ("fuehrungszeugnis", "Führungszeugnis"),
    ("Führungszeugnis", "Führungszeugnis"),
    ("certificate of good conduct", "Führungszeugnis"),
    ("police clearance", "Führungszeugnis"),
    ("meldebescheinigung", "Meldebescheinigung"),
    ("proof of address", "Meldebescheinigung"),
    ("führerschein umschreiben", "Umschreibung eines ausländischen Führerscheins"),
    ("exchange driving licence", "Umschreibung eines ausländischen Führerscheins"),
    ("exchange driving license", "Umschreibung eines ausländischen Führerscheins"),
    ("international driving permit", "Internationaler Führerschein (EU-Kartenführerschein)"),
    ("auto anmelden", "Anmeldung fabrikneues Fahrzeug oder Tageszulassung"),
    ("car registration", "Anmeldung fabrikneues Fahrzeug oder Tageszulassung"),
    ("auto abmelden", "Fahrzeug abmelden"),
    ("deregister car", "Fahrzeug abmelden"),
    ("export plates", "Ausfuhrkennzeichen"),
    ("kurzzeitkennzeichen", "Kurzzeitkennzeichen"),
    ("heiraten", "Anmeldung einer Eheschließung ohne Auslandsbezug"),
    ("wedding", "Anmeldung einer Eheschließung ohne Auslandsbezug"),
    ("leave church", "Kirchenaustritt"),
    ("gewerbeanmeldung", "Gewerbe-Anmeldung"),
    ("gewerbe abmelden", "Gewerbe-Abmeldung"),
    ("business registration", "Gewerbe-Anmeldung"),
    ("parking permit", "Bewohnerparkausweis"),
    ("anwohnerparken", "Bewohnerparkausweis"),
    ("unterschrift beglaubigen", "Beglaubigung von Unterschriften"),
    ("certified copy", "Beglaubigung von bis zu 5 Dokumenten"),
    ("citizenship", "Einbürgerung"),
    ("Einbürgerung", "Einbürgerung"),
    ("residence permit", "Notfall-Hilfe Aufenthaltstitel – Beschäftigte, Angehörige"),
    ("invitation letter", "Verpflichtungserklärung abgeben"),
    ("lost property", "Verlustmeldung und Fundsachenbesichtigung"),
    ("pension", "Auskunft zur Rente (Vor-Ort-Termin)"),
    ("bafoeg", "BAföG – Antrag Ausbildungsförderung"),
    ("pin vergessen", "Einschalten eID-Funktion oder Änderung der PIN"),
]


@pytest.fixture
def catalogue(office: Office) -> Office:
    return office


def test_everyday_words_find_the_service_they_mean(catalogue: Office) -> None:
    """One test for the whole table: the catalogue is read once, and every miss is shown."""
    misses = []
    for said, meant in EVERYDAY:
        found = find_services(said, 3)
        if not found or found[0].name != meant:
            misses.append((said, meant, [service.name for service in found]))

    assert misses == []


@pytest.mark.parametrize("text", ["", "  ", "?!", "x", "qwertzuiop", "👍", "a" * 5000, "%_'\";--"])
def test_what_means_nothing_finds_nothing(catalogue: Office, text: str) -> None:
    assert find_services(text) == []


def test_the_limit_is_kept(catalogue: Office) -> None:
    assert len(find_services("anmeldung", 2)) == 2


def test_a_withdrawn_service_is_not_found(catalogue: Office) -> None:
    Service.objects.filter(name="Kirchenaustritt").update(withdrawn_at=catalogue.now())

    assert find_services("Kirchenaustritt") == []


def test_every_bookable_service_is_listed_under_a_topic(catalogue: Office) -> None:
    listed = {service.pk for topic in TOPICS for service in popular_services(topic)}

    assert listed == {service.pk for service in bookable_services()}


def test_the_first_of_moving_is_the_registration(catalogue: Office) -> None:
    assert popular_services("moved")[0].name.startswith("Wohnsitzanmeldung")


def test_offices_are_those_that_offer_all_services_together(catalogue: Office) -> None:
    alone = offices_for((ServiceCount(REGISTER, 1),))
    service = Service.objects.get(upstream_id=REGISTER)
    with_certificate = offices_for((ServiceCount(REGISTER, 1), ServiceCount(1080843, 1)))

    assert RUPPERT in {office.upstream_id for office in alone}
    assert {office.pk for office in with_certificate} <= {office.pk for office in alone}
    assert largest_count(service) == 3
    assert may_be_combined((ServiceCount(REGISTER, 1), ServiceCount(1080843, 1)))
    assert not may_be_combined((ServiceCount(REGISTER, 1), ServiceCount(REGISTER, 1)))
    assert not may_be_combined((ServiceCount(REGISTER, 1), ServiceCount(1063565, 1)))


def test_plain_writing() -> None:
    assert plain("Führungszeugnis – Größe 5, ça!") == "fuehrungszeugnis groesse 5 ca"
