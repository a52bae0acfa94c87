"""Munich's services, who offers them, and what may be booked together."""

from __future__ import annotations

from termin_project.sandbox.city.catalogue import Service

SERVICES: tuple[Service, ...] = (
    # Registering an address, passports, certificates
    Service(1063475, "Wohnsitzanmeldung", 3),
    Service(10224132, "Wohnsitzanmeldung – Familie", 3),
    Service(10242339, "Adressänderung Personalausweis, Reisepass, eAT", 5),
    Service(10224136, "Änderung der Personendaten im Melderegister", 3),
    Service(1063441, "Personalausweis", 2),
    Service(1063453, "Reisepass", 2),
    Service(1080582, "Vorläufiger Reisepass", 2),
    Service(10225205, "Ausweisdokumente – Familie", 1),
    Service(10306925, "eID-Karte (EU/EWR)", 2),
    Service(10225119, "Einschalten eID-Funktion oder Änderung der PIN", 3),
    Service(1076889, "Verlust oder Diebstahl Personalausweis", 5),
    Service(1078273, "Verlust oder Diebstahl Reisepass", 5),
    Service(10306926, "Verlust oder Diebstahl eID-Karte", 5),
    Service(10225197, "Widerruf der Verlust- oder Diebstahlanzeige von Personalausweis oder Reisepass", 5),
    Service(1063426, "Beglaubigung von bis zu 5 Dokumenten", 1),
    Service(10225181, "Beglaubigung von bis zu 20 Dokumenten", 1),
    Service(1063428, "Beglaubigung von Unterschriften", 1),
    Service(1080843, "Haushaltsbescheinigung", 5),
    Service(10295182, "Abholung Personalausweis, Reisepass oder eID-Karte", 3),
    Service(1063565, "Führungszeugnis", 5),
    Service(1063576, "Meldebescheinigung", 5),
    Service(1064033, "Auskunft aus dem Gewerbezentralregister – Natürliche Person", 2),
    Service(10297413, "Lebensbescheinigung", 3),
    # Vehicles
    Service(1063424, "Umschreibung Fahrzeug – innerhalb Münchens", 2),
    Service(1064314, "Umschreibung Fahrzeug – von außerhalb nach München", 2),
    Service(1063425, "Anmeldung fabrikneues Fahrzeug oder Tageszulassung", 2),
    Service(1064308, "Erneute Anmeldung eines Fahrzeugs", 2),
    Service(1064121, "Änderung der Adresse in Fahrzeugpapieren", 2),
    Service(1064323, "Kurzzeitkennzeichen", 2),
    Service(1064305, "Fahrzeug abmelden", 2),
    Service(1064076, "Aus dem Ausland eingeführtes Fahrzeug anmelden", 2),
    Service(1064268, "Ausfuhrkennzeichen", 3),
    Service(1064333, "Saisonkennzeichen", 2),
    Service(1064311, "Historisches Kennzeichen für Oldtimer", 2),
    Service(1064271, "Verlust oder Diebstahl der Kennzeichenschilder", 2),
    Service(1064354, "Eintrag technischer Änderungen in Fahrzeugpapiere", 2),
    # Driving licences
    Service(1071896, "Umschreibung eines ausländischen Führerscheins", 1),
    Service(1071944, "Umschreibung EU/EWR-Führerschein", 1),
    Service(1071854, "Internationaler Führerschein (EU-Kartenführerschein)", 2),
    Service(10176294, "Abholung von Führerscheinen", 2),
    Service(1071764, "Personenbeförderungsschein – Antrag", 1),
    # Residence permits and citizenship
    Service(10339028, "Notfall-Hilfe Aufenthaltstitel – Beschäftigte, Angehörige", 1),
    Service(
        10339027,
        "Notfall-Hilfe Aufenthaltstitel – Studierende, Hochschulabsolvent*innen, Selbstständige",
        1,
    ),
    Service(1063741, "Verpflichtungserklärung abgeben", 1),
    Service(
        10473494, "Einschalten der eID-Funktion oder Änderung der PIN – Elektronischer Aufenthaltstitel", 1
    ),
    Service(10502137, "Abholung elektronischer Aufenthaltstitel, elektronischer Reiseausweis", 3, False),
    Service(1071907, "Einbürgerung", 5, False),
    # Marriages and church
    Service(1063648, "Anmeldung einer Eheschließung ohne Auslandsbezug", 1, False),
    Service(10396802, "Anmeldung einer Eheschließung mit Auslandsbezug", 1, False),
    Service(1063731, "Kirchenaustritt", 5, False),
    # Trade
    Service(1063423, "Gewerbe-Anmeldung", 3),
    Service(1063422, "Gewerbe-Ummeldung", 3),
    Service(1063435, "Gewerbe-Abmeldung", 3),
    Service(1063718, "Taxigenehmigung – Erstantrag oder erneuter Antrag", 1),
    Service(10300793, "Taxi oder Mietwagen – Unterlagen nachreichen", 5),
    # The rest
    Service(1072043, "Bewohnerparkausweis", 1),
    Service(1072015, "Parkausweis für Handelsvertretungen", 3),
    Service(1063519, "Fundsache abholen", 1),
    Service(10338650, "Verlustmeldung und Fundsachenbesichtigung", 1),
    Service(1080455, "Auskunft zur Rente (Vor-Ort-Termin)", 1),
    # Kinds of the one before: in person, by telephone, by video.
    Service(3, "Auskunft zur Rente", 1, True, 1080455, 1),
    Service(2, "Auskunft zur Rente Telefon", 1, False, 3, 2, 1080455),
    Service(1, "Auskunft zur Rente Video", 1, False, 3, 3, 1080455),
    Service(10387817, "Auskunft zur Hinterbliebenenrente (Vor-Ort-Termin)", 1),
    Service(10113239, "Elternberatung zur Kinderbetreuung", 1),
    Service(1074970, "BAföG – Antrag Ausbildungsförderung", 3),
    Service(10308316, "Gesundheitszeugnis (Hund, Katze, Frettchen, Vögel)", 1),
)

_CITIZENS_COUNTER = {
    1063475: 3,
    10242339: 1,
    10224136: 3,
    1063441: 3,
    1063453: 3,
    1080582: 3,
    10225205: 7,
    10306925: 3,
    10225119: 1,
    1076889: 3,
    1078273: 3,
    10225197: 2,
    1063426: 2,
    10225181: 4,
    1063428: 2,
    1080843: 1,
}
_QUICK_COUNTER = {1063565: 1, 1064033: 2, 10297413: 1}
_MARRIAGES = {1063648: 1, 10396802: 2}

OFFERED: tuple[tuple[tuple[int, ...], dict[int, int]], ...] = (
    # (offices, {service: slots one of it takes there})
    ((10489, 102522, 102523, 102524, 102526, 54261), _CITIZENS_COUNTER),
    ((102522, 102523, 102524, 102526, 54261), {10224132: 4}),
    ((10489,), {10224132: 6}),
    ((10503,), {1063475: 3, 10224132: 6, 1080843: 1}),
    ((10502,), {1063441: 1, 1063453: 1, 1080582: 1}),
    ((10500, 1060069, 10206241, 10181768, 10286848), _QUICK_COUNTER),
    ((10500,), {1063576: 2}),
    ((10492, 1060068, 10181770), {10295182: 1}),
    ((10308013,), {1063424: 1, 1064314: 1, 1063425: 1, 1064308: 1, 1064121: 1, 1064323: 1}),
    ((10308013,), {1064333: 1, 1064311: 1, 1064271: 1, 1064354: 1}),
    ((10489, 102522, 102523, 102524, 102526, 54261), {10306926: 3}),
    ((102101,), {1064305: 2}),
    ((10308017,), {1064076: 1}),
    ((10416,), {1064268: 3}),
    ((10308174,), {1071896: 1, 1071944: 1}),
    ((10308175,), {1071764: 1}),
    ((1094898,), {10176294: 1, 1071854: 1}),
    ((10461,), {10339028: 1}),
    ((10187259,), {10339027: 1}),
    ((10308621,), {1063741: 4, 10473494: 2}),
    ((10456,), {10502137: 1}),
    ((10471,), {1071907: 1}),
    ((10470, 10351880), _MARRIAGES),
    ((10295168, 10351882), {1063731: 1}),
    ((10546,), {1063423: 4, 1063422: 4, 1063435: 3}),
    ((1063278,), {1063718: 6, 10300793: 3}),
    ((10427,), {1072043: 3, 1072015: 3}),
    ((1061963,), {1063519: 1, 10338650: 1}),
    ((10512,), {1080455: 3, 10387817: 2}),
    ((1,), {1: 1}),
    ((2,), {2: 1}),
    ((3,), {3: 1}),
    ((1063373,), {10113239: 1}),
    ((10640,), {1074970: 1}),
    ((1049621,), {10308316: 1}),
)

COMBINATIONS: tuple[tuple[int, ...], ...] = (
    # Every service of a group may be booked together with every other one of it.
    (*_CITIZENS_COUNTER, 10224132),
    (*_QUICK_COUNTER, 1063576),
    (1063424, 1064314, 1063425, 1064308, 1064121, 1064323, 1064333, 1064311, 1064271, 1064354),
    (1063519, 10338650),
    (1063423,),
    (1063422,),
    (1063435,),
    (10295182,),
)
