"""What people type, and the service that comes first; against the simulated city's catalogue and the real one."""

import json
from pathlib import Path

import pytest

from appointments import words
from appointments.models import Service
from appointments.selectors.catalogue import (
    TOPICS,
    bookable_services,
    find_services,
    folded,
    largest_count,
    offices_for,
    places_for,
    popular_services,
    successors,
    variants_of,
)
from appointments.selectors.finding import plain, rank_services
from appointments.upstream import reading
from appointments.upstream.types import ServiceCount
from tests.appointments.upstream.replay import FOLDER
from tests.conftest import REGISTER, RUPPERT, Office

REGISTRATION = "Wohnsitzanmeldung"
FAMILY = "Wohnsitzanmeldung – Familie"
ID_CARD = "Personalausweis"
PASSPORT = "Reisepass"
FOREIGN_LICENCE = "Umschreibung eines ausländischen Führerscheins"
# The city books other residence matters without this system; what it has is nearest to a residence permit.
RESIDENCE = "Notfall-Hilfe Aufenthaltstitel – Beschäftigte, Angehörige"
STUDENTS = "Notfall-Hilfe Aufenthaltstitel – Studierende, Hochschulabsolvent*innen, Selbstständige"
NEW_CAR = "Anmeldung fabrikneues Fahrzeug oder Tageszulassung"
MARRIAGE = "Anmeldung einer Eheschließung ohne Auslandsbezug"
COPIES = "Beglaubigung von bis zu 5 Dokumenten"

EVERYDAY = {
    # Where one lives
    REGISTRATION: (
        "anmeldung",
        "Anmeldung!",
        "anmelden wohnung",
        "Umzug",
        "umziehen",
        "ich bin umgezogen",
        "ummelden",
        "ummeldung",
        "Wohnsitz anmelden",
        "Wohnsizt ummelden",
        "Einwohnermeldeamt",
        "Adresse ändern",
        "adresse aendern",
        "register address",
        "register adress",
        "regster adress",
        "I moved",
        "new flat",
        "change of address",
        "I need to register my new address",
        "My wife and I moved to Munich and need to register",
        "How do I register in Munich?",
        "Ich möchte meine neue Wohnung anmelden",
        "Anmeldung in Munich appointment please",
        "Anmeldung for my new apartment",
        "city registration",
    ),
    FAMILY: ("familie anmelden", "register my family", "Anmeldung mit Kindern Familie"),
    "Meldebescheinigung": (
        "meldebescheinigung",
        "Meldebestätigung",
        "proof of address",
        "certificate of residence",
    ),
    "Haushaltsbescheinigung": ("Haushaltsbescheinigung", "household certificate", "Kindergeld"),
    "Änderung der Personendaten im Melderegister": ("name change", "Namensänderung"),
    # Papers
    ID_CARD: (
        "personalausweis",
        "personlausweis",
        "Personalausweiss",
        "perso",
        "Perso verlängern",
        "neuer Perso",
        "Ausweis",
        "id card",
        "ID",
        "identity card",
        "Ich brauche einen Termin für einen neuen Personalausweis",
        "renew my ID",
    ),
    PASSPORT: (
        "Reisepass",
        "reispass",
        "Reisepas",
        "passport",
        "pasport",
        "Pass",
        "renew passport",
        "my passport is expired",
        "new german passport",
        "neuen Reisepass beantragen",
        "Kinderreisepass",
    ),
    "Vorläufiger Reisepass": (
        "temporary passport",
        "vorläufiger Reisepass",
        "vorlaeufiger reisepass",
        "emergency passport",
    ),
    "Ausweisdokumente – Familie": ("Ausweise Familie", "family passports"),
    "Adressänderung Personalausweis, Reisepass, eAT": (
        "Adresse im Ausweis ändern",
        "change address on id card",
    ),
    "Verlust oder Diebstahl Personalausweis": (
        "lost id card",
        "Perso verloren",
        "mein Ausweis wurde gestohlen",
        "id stolen",
    ),
    "Verlust oder Diebstahl Reisepass": ("passport stolen", "I lost my passport", "Reisepass verloren"),
    "Abholung Personalausweis, Reisepass oder eID-Karte": (
        "pick up passport",
        "Reisepass abholen",
        "collect my id card",
    ),
    "eID-Karte (EU/EWR)": ("eID", "eid karte"),
    "Einschalten eID-Funktion oder Änderung der PIN": ("pin vergessen", "forgot my PIN", "online ausweis"),
    "Führungszeugnis": (
        "fuehrungszeugnis",
        "Führungszeugnis",
        "Fuhrungszeugnis",
        "Führungszeugniss",
        "certificate of good conduct",
        "police clearance",
        "police clearance certificate",
        "polizeiliches Führungszeugnis",
    ),
    COPIES: ("certified copy", "certified copy of my diploma", "Zeugnis beglaubigen", "Beglaubigung"),
    "Beglaubigung von Unterschriften": ("unterschrift beglaubigen", "certify signature"),
    # Vehicles and licences
    NEW_CAR: (
        "auto anmelden",
        "car registration",
        "register my car",
        "Kfz-Zulassung",
        "KFZ Zulassungsstelle",
        "Neuwagen",
    ),
    "Fahrzeug abmelden": ("auto abmelden", "deregister car", "car deregistration", "Auto stilllegen"),
    "Ausfuhrkennzeichen": ("export plates", "Zollkennzeichen"),
    "Kurzzeitkennzeichen": ("kurzzeitkennzeichen", "kurzeitkennzeichen"),
    FOREIGN_LICENCE: (
        "driving licence",
        "driver's license",
        "drivers licence",
        "Führerschein",
        "führerschein umschreiben",
        "fuehrerschein umschreiben",
        "exchange driving license",
        "convert my foreign driving licence",
    ),
    "Umschreibung EU/EWR-Führerschein": ("EU Führerschein", "eu driving licence"),
    "Internationaler Führerschein (EU-Kartenführerschein)": (
        "international driving permit",
        "Internationaler Führerschein",
    ),
    "Abholung von Führerscheinen": ("Führerschein abholen",),
    # Foreigners and citizenship
    RESIDENCE: (
        "residence permit",
        "residense permit",
        "extend my residence permit",
        "Aufenthaltstitel",
        "Aufenthaltserlaubnis",
        "work visa",
        "Ausländerbehörde",
        "Auslaenderbehoerde",
        "Visum verlängern",
        "Blaue Karte",
        "blue card",
        "EU Blue Card",
        "Niederlassungserlaubnis",
        "permanent residence permit",
    ),
    STUDENTS: ("student visa", "Studentenvisum", "residence permit for students"),
    "Abholung elektronischer Aufenthaltstitel, elektronischer Reiseausweis": (
        "collect residence permit",
        "eAT abholen",
    ),
    "Einbürgerung": ("citizenship", "Einbürgerung", "einbuergerung", "naturalization"),
    "Verpflichtungserklärung abgeben": ("invitation letter for my parents", "Verpflichtungserklärung"),
    # Family, church, work, the rest
    MARRIAGE: ("heiraten", "wedding", "we want to get married", "Standesamt"),
    "Kirchenaustritt": ("leave church", "leaving the church", "Kirchenaustritt", "Kirchensteuer"),
    "Gewerbe-Anmeldung": (
        "gewerbeanmeldung",
        "Gewerbeanmelung",
        "business registration",
        "self-employed",
        "selbstständig",
    ),
    "Gewerbe-Ummeldung": ("Gewerbe ummelden",),
    "Gewerbe-Abmeldung": ("gewerbe abmelden", "close my business"),
    "Bewohnerparkausweis": ("parking permit", "anwohnerparken", "Anwohnerparkausweis", "Parkausweis"),
    "Verlustmeldung und Fundsachenbesichtigung": ("lost property", "Fundbüro", "lost my keys"),
    "Auskunft zur Rente (Vor-Ort-Termin)": ("pension", "Rente"),
    "BAföG – Antrag Ausbildungsförderung": ("bafoeg", "BAföG"),
    "Elternberatung zur Kinderbetreuung": ("Kita", "child care"),
}
OTHER_LANGUAGES = {
    REGISTRATION: (
        "реєстрація",
        "реєстрація місця проживання",
        "зареєструвати адресу",
        "adres kaydı",
        "ikamet kaydi",
        "تسجيل السكن",
        "تسجيل العنوان",
        "déménagement",
        "changement d'adresse",
        "cambio residenza",
        "empadronamiento",
        "prijava adrese",
        "promjena adrese",
    ),
    FAMILY: ("реєстрація сім'ї", "aile kaydı"),
    ID_CARD: (
        "kimlik kartı",
        "بطاقة هوية",
        "carte d'identité",
        "carta d'identità",
        "osobna iskaznica",
        "посвідчення особи",
    ),
    PASSPORT: ("паспорт", "pasaport", "جواز سفر", "passeport", "passaporto", "pasaporte", "putovnica"),
    FOREIGN_LICENCE: (
        "водійські права",
        "обмін водійських прав",
        "ehliyet",
        "رخصة قيادة",
        "permis de conduire",
        "patente",
        "carné de conducir",
        "vozačka dozvola",
    ),
    RESIDENCE: (
        "посвідка на проживання",
        "блакитна карта",
        "oturum izni",
        "mavi kart",
        "تصريح إقامة",
        "البطاقة الزرقاء",
        "titre de séjour",
        "permesso di soggiorno",
        "permiso de residencia",
        "boravišna dozvola",
        "plava karta",
    ),
    MARRIAGE: ("шлюб", "evlenmek", "زواج", "mariage", "matrimonio", "boda", "vjenčanje"),
    "Einbürgerung": (
        "громадянство",
        "vatandaşlık",
        "الجنسية",
        "naturalisation",
        "cittadinanza",
        "državljanstvo",
    ),
    "Führungszeugnis": (
        "sabıka kaydı",
        "حسن سلوك",
        "casier judiciaire",
        "antecedentes penales",
        "несудимість",
    ),
}
# The simulated city lists it without a counter, so nobody can book it there.
ONLY_REALLY = {"Gesundheitszeugnis (Hund, Katze, Frettchen, Vögel)": ("dog", "Hund", "pet passport")}
NONSENSE = [
    "", "  ", "?!", "x", "qwertzuiop", "asdf qwer", "👍", "a" * 5000, "%_'\";--", "hello", "Guten Tag", "ich", "Termin",
    "appointment please", "pizza", "what is the weather today", "Zahnarzt", "sim karte", "привет как дела", "你好",
    "こんにちは", "Schwimmbad", "train ticket to Berlin",
]  # fmt: skip


def pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(said, meant) for meant, sayings in table.items() for said in sayings]


def misses(
    said_and_meant: list[tuple[str, str]], services: list[Service]
) -> list[tuple[str, str, list[str]]]:
    """What does not come first, with what comes instead."""
    found = [
        (said, meant, [s.name for s in folded(rank_services(said, services))])
        for said, meant in said_and_meant
    ]
    return [(said, meant, names[:3]) for said, meant, names in found if names[:1] != [meant]]


@pytest.fixture
def catalogue(office: Office) -> Office:
    return office


@pytest.fixture(scope="session")
def real_services() -> list[Service]:
    """The services of the real software's catalogue, as they would stand in our database."""
    path = FOLDER / "010-offices-and-services.json"
    if not path.exists():
        pytest.skip("the recorded catalogue is not beside the checkout")
    body = json.loads(Path(path).read_text())["response"]["body"]
    read = reading.catalogue(json.loads(body) if isinstance(body, str) else body)
    offered = {relation.service_id for relation in read.relations}
    return [
        Service(
            pk=service.upstream_id,
            upstream_id=service.upstream_id,
            name=" ".join(service.name.split()),
            on_start_page=service.show_on_start_page,
            root_parent_upstream_id=service.root_parent_id,
            variant=service.variant_id,
        )
        for service in read.services
        if service.upstream_id in offered
    ]


def test_the_tables_are_long_enough_to_mean_something() -> None:
    assert len(pairs(EVERYDAY)) >= 80
    assert len(pairs(OTHER_LANGUAGES)) >= 40
    assert len({said for said, _meant in pairs(EVERYDAY)}) == len(pairs(EVERYDAY))


@pytest.mark.parametrize("table", [EVERYDAY, OTHER_LANGUAGES], ids=["german and english", "other languages"])
def test_everyday_words_find_the_service_they_mean(
    catalogue: Office, table: dict[str, tuple[str, ...]]
) -> None:
    """One test for the whole table: the catalogue is read once, and every miss is shown."""
    assert misses(pairs(table), bookable_services()) == []


@pytest.mark.parametrize(
    "table",
    [EVERYDAY, OTHER_LANGUAGES, ONLY_REALLY],
    ids=["german and english", "other languages", "only really"],
)
def test_everyday_words_find_the_service_in_the_real_catalogue(
    real_services: list[Service], table: dict[str, tuple[str, ...]]
) -> None:
    assert misses(pairs(table), real_services) == []


@pytest.mark.parametrize("text", NONSENSE)
def test_what_means_nothing_finds_nothing(catalogue: Office, text: str) -> None:
    assert find_services(text) == []


def test_what_means_nothing_finds_nothing_in_the_real_catalogue(real_services: list[Service]) -> None:
    assert {text: rank_services(text, real_services) for text in NONSENSE} == {text: [] for text in NONSENSE}


@pytest.mark.parametrize("language", words.languages())
def test_every_table_speaks_of_needs_that_exist_and_of_the_commonest_ones(language: str) -> None:
    table = words.table(language)

    assert set(table["needs"]) <= set(words.NEEDS)
    assert {"registration", "id_card", "passport", "residence", "licence"} <= set(table["needs"])
    assert all(saying.strip() for said in table["needs"].values() for saying in said)


def test_every_need_is_said_in_german() -> None:
    assert set(words.NEEDS) == set(words.table("de")["needs"])


def test_the_limit_is_kept(catalogue: Office) -> None:
    assert len(find_services("anmeldung", 2)) == 2


def test_a_withdrawn_service_is_not_found(catalogue: Office) -> None:
    Service.objects.filter(name="Kirchenaustritt").update(withdrawn_at=catalogue.now())

    assert find_services("Kirchenaustritt") == []


def test_every_bookable_service_is_listed_under_a_topic(catalogue: Office) -> None:
    listed = {service.pk for topic in TOPICS for service in popular_services(topic)}

    assert listed == {service.pk for service in folded(bookable_services())}


def test_the_first_of_moving_is_the_registration(catalogue: Office) -> None:
    assert popular_services("moved")[0].name.startswith("Wohnsitzanmeldung")


def test_offices_are_those_that_offer_all_services_together(catalogue: Office) -> None:
    alone = offices_for((ServiceCount(REGISTER, 1),))
    with_certificate = offices_for((ServiceCount(REGISTER, 1), ServiceCount(1080843, 1)))

    assert RUPPERT in {office.upstream_id for office in alone}
    assert {office.pk for office in with_certificate} <= {office.pk for office in alone}
    assert largest_count((), REGISTER) == 3


def test_offices_that_are_booked_as_one_are_listed_once(catalogue: Office) -> None:
    services = (ServiceCount(REGISTER, 1),)

    names = [office.upstream_id for office in places_for(services)]

    assert {10489, 10503} <= {office.upstream_id for office in offices_for(services)}
    assert names.count(10489) == 1
    assert 10503 not in names


def test_kinds_of_one_service_are_one_hit_with_a_choice(catalogue: Office) -> None:
    found = find_services("Rente")

    assert [service.upstream_id for service in found if "Auskunft zur Rente" in service.name] == [1080455]
    assert [(kind, service.upstream_id) for kind, service in variants_of(found[0])] == [
        (1, 3),
        (2, 2),
        (3, 1),
    ]
    assert variants_of(Service.objects.get(upstream_id=REGISTER)) == []


def test_a_service_that_ended_is_followed_by_its_kinds_and_by_what_is_called_alike(catalogue: Office) -> None:
    gone = Service.objects.get(upstream_id=1063475)
    Service.objects.filter(pk=gone.pk).update(withdrawn_at=catalogue.now())

    assert [service.name for service in successors(gone)] == [FAMILY]
    assert successors(Service(pk=0, upstream_id=0, name="Etwas ganz anderes")) == []


def test_plain_writing() -> None:
    assert plain("Führungszeugnis – Größe 5, ça!") == "fuehrungszeugnis groesse 5 ca"
