"""Everyday words for the city's services, in German and English.

Each line: what people say, then which of the city's services they mean, likeliest first. Another language is more
lines. Matching forgives typing errors, so endings and umlauts need not be listed twice.
"""

# (phrases people use; parts of the names they mean, likeliest first). A phrase counts when all its words are said,
# a service is meant when its name holds all parts. The longer phrase wins.
EVERYDAY_PHRASES: tuple[tuple[str, str], ...] = (
    # Where one lives
    (
        "anmeldung|anmelden|wohnung anmelden|wohnsitz anmelden|ummelden|ummeldung|umziehen|umzug|umgezogen|einzug"
        "|zugezogen|register|registration|register address|address registration|residence registration|address"
        "|new address|adresse|adresse anmelden|moved|moving|new flat|new apartment|new home|wohnsitz|wohnung",
        "wohnsitz anmeldung|oder ummeldung|wohnsitz",
    ),
    (
        "familie anmelden|anmeldung familie|family registration|register family|family moved|familie umzug"
        "|anmeldung kinder|register children",
        "wohnsitz familie|oder ummeldung familie",
    ),
    ("abmeldung|abmelden|deregister|leaving germany|wegziehen|moving abroad", "abmeldung wohnsitz"),
    (
        "meldebescheinigung|proof of address|address certificate|registration certificate|meldebestaetigung"
        "|proof of residence",
        "meldebescheinigung",
    ),
    ("haushaltsbescheinigung|household certificate|kindergeld", "haushaltsbescheinigung"),
    ("lebensbescheinigung|proof of life|life certificate", "lebensbescheinigung"),
    ("name aendern|change name|personal data|geburtsdatum falsch", "aenderung personendaten"),
    # Papers
    (
        "perso|ausweis|personalausweis|id card|id|identity card|identitaetskarte|national id",
        "personalausweis",
    ),
    ("passport|pass|reisepass|travel document|german passport", "reisepass"),
    (
        "temporary passport|vorlaeufiger pass|emergency passport|express passport|provisional passport",
        "vorlaeufiger reisepass",
    ),
    (
        "kinderreisepass|kinderpass|child passport|passport child|passport baby",
        "reisepass|ausweisdokumente familie",
    ),
    ("familie ausweis|family passports|ausweise familie", "ausweisdokumente familie"),
    (
        "adresse aendern ausweis|adresse im ausweis|address on id|change address id|adressaenderung ausweis"
        "|adresse pass",
        "adressaenderung personalausweis",
    ),
    (
        "ausweis verloren|perso verloren|lost id|id stolen|id card lost|ausweis gestohlen|lost identity card"
        "|ausweis weg",
        "verlust personalausweis",
    ),
    ("passport lost|passport stolen|pass verloren|reisepass verloren|pass gestohlen", "verlust reisepass"),
    (
        "passport pick up|passport collect|pass abholen|reisepass abholen|ausweis abholen|perso abholen"
        "|id pick up|id collect",
        "abholung personalausweis",
    ),
    ("eid pin|pin vergessen|pin aendern|online ausweis|online id|pin ausweis|forgot pin", "eid pin|eid"),
    ("eid|eid karte|eid card", "eid karte|eid"),
    (
        "fuehrungszeugnis|good conduct|police clearance|criminal record|police certificate|polizeiliches"
        "|background check",
        "fuehrungszeugnis",
    ),
    (
        "beglaubigen|beglaubigung|certify|certified copy|notarise copy|notarize copy|copy",
        "beglaubigung dokumenten",
    ),
    ("unterschrift|signature|unterschrift beglaubigen|certify signature", "beglaubigung unterschrift"),
    # Vehicles
    (
        "auto anmelden|auto zulassen|car registration|register car|new car|neuwagen|kfz zulassung|zulassung"
        "|fahrzeug zulassen|register vehicle|kfz anmelden|number plates|license plate|motorrad anmelden",
        "anmeldung fabrikneues fahrzeug|erneute anmeldung fahrzeug|umschreibung fahrzeug|zulassung fahrzeug",
    ),
    ("wiederzulassung|auto wieder anmelden|register car again", "erneute anmeldung fahrzeug"),
    (
        "auto ummelden|fahrzeug ummelden|kfz ummelden|car ownership|used car|gebrauchtwagen|car transfer"
        "|halterwechsel|auto umschreiben|bought car",
        "umschreibung fahrzeug",
    ),
    (
        "auto abmelden|deregister car|deregister vehicle|kfz abmelden|stilllegen|auto stilllegen|unregister car"
        "|sold car",
        "fahrzeug abmelden|ausserbetriebsetzung",
    ),
    ("car from abroad|import car|imported car|auto import|auto ausland", "ausland eingefuehrtes fahrzeug"),
    (
        "adresse fahrzeugschein|address car papers|adresse auto|adresse fahrzeugpapiere",
        "adresse fahrzeugpapieren",
    ),
    ("export plates|export car|ausfuhr|zollkennzeichen|auto exportieren", "ausfuhrkennzeichen"),
    ("short term plates|temporary plates|ueberfuehrung|kurzzeit", "kurzzeitkennzeichen"),
    # Driving licences
    (
        "fuehrerschein umschreiben|exchange driving licence|convert driving license|foreign driving licence"
        "|fuehrerschein ausland|exchange licence|convert license|auslaendischer fuehrerschein",
        "umschreibung auslaendischen fuehrerscheins|umschreibung fuehrerschein",
    ),
    ("eu licence|eu driving licence|eu fuehrerschein", "umschreibung ewr fuehrerschein"),
    (
        "international driving permit|international licence|international driving licence"
        "|internationaler fuehrerschein",
        "internationaler fuehrerschein",
    ),
    ("fuehrerschein|driving licence|driver license|driving license", "fuehrerschein|fahrerlaubnis"),
    ("fuehrerschein abholen|pick up licence|licence collect|pick up license", "abholung fuehrerschein"),
    (
        "taxi licence|taxischein|personenbefoerderung|p schein|passenger transport",
        "personenbefoerderungsschein",
    ),
    ("taxi|taxi company|taxiunternehmen", "taxigenehmigung|taxi"),
    # Foreigners and citizenship
    (
        "residence permit|aufenthaltstitel|aufenthaltserlaubnis|visa|visum|visum verlaengern|extend visa"
        "|permit extension|auslaenderbehoerde|immigration office|work permit|work visa",
        "aufenthaltserlaubnis|aufenthaltstitel beschaeftigte|aufenthaltstitel",
    ),
    (
        "student residence permit|student visa|studentenvisum|studium aufenthalt|visa student|permit student",
        "aufenthalt studierende",
    ),
    ("residence permit collect|aufenthaltstitel abholen|permit pick up", "abholung aufenthaltstitel"),
    ("blue card|blaue karte|bluecard", "blaue karte|aufenthaltstitel beschaeftigte"),
    ("permanent residence|settlement permit|niederlassungserlaubnis|unbefristet", "niederlassungserlaubnis"),
    (
        "einbuergerung|citizenship|naturalisation|naturalization|become german|staatsbuergerschaft"
        "|german passport apply",
        "einbuergerung",
    ),
    (
        "invitation letter|invite|verpflichtungserklaerung|einladung|formal obligation|sponsor",
        "verpflichtungserklaerung",
    ),
    # Family, church, work
    (
        "heiraten|heirat|hochzeit|marriage|marry|wedding|get married|eheschliessung|standesamt",
        "eheschliessung ohne|eheschliessung",
    ),
    ("marry foreigner|marriage abroad|heiraten ausland|international marriage", "eheschliessung mit"),
    ("birth|geburt|geburtsurkunde|birth certificate|newborn", "geburt"),
    ("death|todesfall|sterbeurkunde", "sterbefall"),
    (
        "kirche|kirchenaustritt|leave church|church|church tax|kirchensteuer|aus der kirche austreten",
        "kirchenaustritt",
    ),
    (
        "gewerbe|gewerbe anmelden|gewerbeanmeldung|business registration|register business|start business"
        "|self employed|freelance|selbstaendig|firma anmelden|trade licence|gewerbeschein",
        "gewerbe anmeldung",
    ),
    ("gewerbe ummelden|gewerbeummeldung|move business|business address", "gewerbe ummeldung"),
    ("gewerbe abmelden|gewerbeabmeldung|close business|deregister business", "gewerbe abmeldung"),
    ("gewerbezentralregister|trade register extract", "gewerbezentralregister"),
    ("bafoeg|student grant|student loan|studienfoerderung", "bafoeg"),
    ("rente|pension|retirement|rentenversicherung", "rente"),
    # The rest
    (
        "parking permit|resident parking|anwohnerparken|anwohnerparkausweis|bewohnerparken|parkausweis|parken"
        "|parking",
        "bewohnerparkausweis|parkausweis",
    ),
    (
        "fundbuero|lost property|lost and found|lost something|etwas verloren|verloren|lost",
        "verlustmeldung|fundsache",
    ),
    ("fundsache|pick up lost|found my", "fundsache abholen"),
    ("hund|dog|katze|cat|haustier|pet|pet passport|tier", "gesundheitszeugnis hund|hund"),
    ("wohngeld|housing benefit", "wohngeld"),
    ("fishing|angeln|angelschein", "fischerei"),
)

# Topics of the menu: what the button is called lives in the bot; here is what it lists, best first.
TOPIC_WORDS: dict[str, tuple[str, ...]] = {
    # "An- oder Ummeldung" is what the city called the registration before; other cities still do.
    "moved": (
        "wohnsitz",
        "oder ummeldung",
        "meldebescheinigung",
        "melderegister",
        "adressänderung",
        "haushaltsbescheinigung",
    ),
    "id": ("personalausweis", "reisepass", "führungszeugnis", "ausweis"),
    "residence": ("aufenthalt", "niederlassung", "blaue karte", "einbürgerung", "visum", "verpflichtung"),
    "car": ("fahrzeug", "kfz", "zulassung", "fahrerlaubnis", "führerschein", "parkausweis"),
    "family": ("eheschließung", "geburt", "kinder", "familie", "urkunde", "vaterschaft"),
}
