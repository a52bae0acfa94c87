"""Everyday words for the city's services, in German and English.

Each line: words people use, then words of the city's own names that they stand for. Another language is more
lines. Matching forgives typing errors, so endings and umlauts need not be listed twice.
"""

# (what people say, what the city says)
EVERYDAY_WORDS: tuple[tuple[str, str], ...] = (
    (
        "anmeldung anmelden register registration address adresse umziehen umzug moved moving zugezogen einzug",
        "anmeldung ummeldung wohnsitz",
    ),
    ("register adress new flat wohnung apartment house", "anmeldung ummeldung wohnsitz"),
    ("family familie kinder children together", "familie"),
    ("deregister abmelden leaving leave germany wegziehen moving abroad", "abmeldung"),
    ("perso ausweis id card identity identitätskarte", "personalausweis"),
    ("passport pass travel document reisedokument", "reisepass"),
    ("child passport kinderpass kinderreisepass", "reisepass kinder"),
    ("certificate of good conduct police clearance criminal record polizeiliches", "führungszeugnis"),
    ("residence registration certificate proof of address meldebestätigung", "meldebescheinigung"),
    (
        "driving licence driver license führerschein fuehrerschein licence permit to drive",
        "fahrerlaubnis führerschein",
    ),
    (
        "exchange convert foreign driving licence umschreiben ausländischer",
        "umschreibung fahrerlaubnis führerschein ausländische",
    ),
    ("international driving permit", "internationaler führerschein"),
    ("car vehicle auto register car zulassen plates kennzeichen", "fahrzeug zulassung kfz"),
    ("deregister car abmelden auto stilllegen", "außerbetriebsetzung fahrzeug"),
    (
        "residence permit aufenthaltstitel visa visum extension verlängern",
        "aufenthaltserlaubnis aufenthaltstitel",
    ),
    ("blue card blaue karte eu bluecard", "blaue karte"),
    ("permanent settlement unbefristet settlement permit", "niederlassungserlaubnis"),
    ("citizenship naturalisation passport german become german staatsbürgerschaft", "einbürgerung"),
    ("student study studium", "studium studierende"),
    ("work arbeit job employment", "beschäftigung erwerbstätigkeit arbeit"),
    ("marriage wedding heiraten hochzeit marry", "eheschließung"),
    ("birth baby newborn geburt birth certificate", "geburt"),
    ("death tod gestorben", "sterbefall"),
    ("business trade company gewerbe firma selbständig freelance", "gewerbe"),
    ("parking resident parking parken anwohner", "parkausweis"),
    ("signature copy certify beglaubigen notarise", "beglaubigung"),
    ("housing benefit rent wohngeld miete", "wohngeld"),
    ("dog hund", "hund"),
    ("fishing angeln", "fischerei"),
    ("pick up collect abholen", "abholung"),
    ("lost stolen verloren gestohlen", "verlust"),
)

# Topics of the menu: what the button is called lives in the bot; here is what it lists, best first.
TOPIC_WORDS: dict[str, tuple[str, ...]] = {
    "moved": ("anmeldung", "ummeldung", "wohnsitz", "abmeldung", "meldebescheinigung"),
    "id": ("personalausweis", "reisepass", "führungszeugnis", "ausweis"),
    "residence": ("aufenthalt", "niederlassung", "blaue karte", "einbürgerung", "visum", "verpflichtung"),
    "car": ("fahrzeug", "kfz", "zulassung", "fahrerlaubnis", "führerschein", "parkausweis"),
    "family": ("eheschließung", "geburt", "kinder", "familie", "urkunde", "vaterschaft"),
}
