"""Munich's offices: where they are, what their counters ask for, how hard it is to get a place."""

from __future__ import annotations

from termin_project.sandbox.city.catalogue import Office, Place, Scope

_RUPPERT_19 = Place("Ruppertstraße", "19", "80337", 48.124682, 11.549866)
_RUPPERT_11 = Place("Ruppertstraße", "11", "80337", 48.123858, 11.551734)
_ORLEANS = Place("Orleansstraße", "50", "81667", 48.128656, 11.604954)
_LEONROD = Place("Leonrodstraße", "21", "80634", 48.153736, 11.535667)
_SCHEIDPLATZ = Place("Belgradstraße", "77", "80804", 48.167647, 11.573679)
_FORSTENRIED = Place("Forstenrieder Allee", "61a", "81476", 48.093835, 11.499208)
_PASING = Place("Landsberger Straße", "486", "81241", 48.147058, 11.462115)
_EICHSTAETT = Place("Eichstätter Straße", "2", "80686", 48.131989, 11.520093)
_GARMISCH = Place("Garmischer Straße", "19-21", "81373", 48.131697, 11.532149)
_IMPLER = Place("Implerstraße", "11", "81371", 48.122798, 11.548819)
_NEUHAUSER = Place("Neuhauser Straße", "39", "80331", 48.138557, 11.567627)
_THALKIRCHEN = Place("Thalkirchner Straße", "106", "80337", 48.123300, 11.559810)

_KVR = "Kreisverwaltungsreferat"
_NOTE = "Kurze Bemerkung zu Ihrem Anliegen"
_PHOTO = (
    "Bringen Sie für Ausweise ein digitales Passfoto aus einem zertifizierten Fotostudio oder Drogeriemarkt mit. "
    "Gegen Gebühr können Sie auch das Foto-Terminal im Bürgerbüro nutzen."
)
_RELEASES = "Neue Termine kommen über den Tag verteilt dazu. Schauen Sie auch bei den anderen Bürgerbüros."


def _citizens_office(
    office_id: int,
    scope_id: int,
    name: str,
    code: str,
    place: Place,
    priority: int,
    hint: str = "",
    **extra: object,
) -> Office:
    """A Bürgerbüro: five-minute slots, a note and a telephone number if people like, hardly ever free."""
    scope = Scope(
        scope_id,
        telephone=True,
        custom=_NOTE,
        custom_2="",
        per_mail=3,
        hint=hint,
        info=_PHOTO,
        info_for_all=_RELEASES,
    )
    return Office(
        office_id,
        name,
        f"{name} ({code})",
        place,
        _KVR,
        scope,
        priority=priority,
        demand="scarce",
        **extra,  # type: ignore[arg-type]
    )


def _quick_counter(
    office_id: int, scope_id: int, name: str, code: str, place: Place, priority: int
) -> Office:
    """The counter of a Bürgerbüro for what takes five minutes."""
    scope = Scope(scope_id, "Serviceschalter", telephone=True, per_mail=3)
    return Office(office_id, name, f"{name} ({code})", place, _KVR, scope, priority=priority, demand="quiet")


def _pick_up(office_id: int, scope_id: int, name: str, code: str, place: Place, priority: int) -> Office:
    """Where finished documents are handed out."""
    scope = Scope(scope_id, "Abholung", per_mail=3, hint="Bitte bringen Sie den Abholschein mit.")
    return Office(
        office_id,
        name,
        f"{name} ({code})",
        place,
        _KVR,
        scope,
        slot_minutes=10,
        priority=priority,
        slots_per_appointment=5,
        demand="quiet",
    )


OFFICES: tuple[Office, ...] = (
    _citizens_office(
        10489,
        160,
        "Bürgerbüro Ruppertstraße",
        "KVR-II/22",
        _RUPPERT_19,
        100,
        "Eingang B, Erdgeschoss, Wartebereich 4",
        disabled_services=(1063453, 1063441, 1080582),
        mix=(10489, 10502),
        shared=(10489, 10503),
    ),
    _citizens_office(
        10503,
        372,
        "Bürgerbüro Ruppertstraße (Ausbildung)",
        "KVR-II/22 Ausbildung",
        _RUPPERT_19,
        100,
        "Eingang B, Erdgeschoss, Wartebereich 4",
        shared=(10489, 10503),
    ),
    Office(
        10502,
        "Bürgerbüro Ruppertstraße",
        "Bürgerbüro Ruppertstraße (KVR-II/221)",
        _RUPPERT_19,
        _KVR,
        Scope(
            172, "Pass", telephone=True, custom=_NOTE, per_mail=3, hint="Eingang B, Erdgeschoss", info=_PHOTO
        ),
        slot_minutes=15,
        priority=100,
        mix=(10489, 10502),
        demand="scarce",
    ),
    _citizens_office(102522, 133, "Bürgerbüro Orleansplatz", "KVR-II/231", _ORLEANS, 90),
    _citizens_office(54261, 136, "Bürgerbüro Pasing", "KVR-II/235", _PASING, 80, "Wartezone im Erdgeschoss"),
    _citizens_office(102526, 169, "Bürgerbüro Forstenrieder Allee", "KVR-II/234", _FORSTENRIED, 60),
    _citizens_office(102523, 154, "Bürgerbüro Leonrodstraße", "KVR-II/232", _LEONROD, 50),
    _citizens_office(102524, 157, "Bürgerbüro Scheidplatz", "KVR-II/233", _SCHEIDPLATZ, 40),
    _quick_counter(10500, 175, "Bürgerbüro Ruppertstraße", "KVR-II/225", _RUPPERT_19, 100),
    _quick_counter(1060069, 124, "Bürgerbüro Orleansplatz", "KVR-II/231 SP", _ORLEANS, 90),
    _quick_counter(10181768, 121, "Bürgerbüro Pasing", "KVR-II/235 Team 1", _PASING, 80),
    _quick_counter(10286848, 130, "Bürgerbüro Forstenrieder Allee", "KVR-II/234 Team 1", _FORSTENRIED, 60),
    _quick_counter(10206241, 139, "Bürgerbüro Leonrodstraße", "KVR-II/232 Team 1", _LEONROD, 50),
    _pick_up(10492, 148, "Bürgerbüro Ruppertstraße", "KVR-II/211", _RUPPERT_19, 100),
    _pick_up(1060068, 127, "Bürgerbüro Orleansplatz", "KVR-II/231 KP", _ORLEANS, 90),
    _pick_up(10181770, 118, "Bürgerbüro Pasing", "KVR-II/235 KP", _PASING, 80),
    Office(
        10308013,
        "KfZ Zulassungsstelle",
        "KfZ Zulassungsstelle (KVR-II/4211)",
        _EICHSTAETT,
        _KVR,
        Scope(52, "Zulassung A", per_mail=4, hint="Wartezone A, 1. Stock"),
        slot_minutes=15,
        slots_per_appointment=2,
    ),
    Office(
        102101,
        "KfZ Zulassungsstelle",
        "KfZ Zulassungsstelle (KVR-II/4322)",
        _EICHSTAETT,
        _KVR,
        Scope(73, "Abmeldung", reservation_minutes=20, per_mail=3, hint="Wartezone im Erdgeschoss"),
        demand="quiet",
    ),
    Office(
        10308017,
        "KfZ Zulassungsstelle",
        "KfZ Zulassungsstelle (KVR-II/4215)",
        _EICHSTAETT,
        _KVR,
        Scope(49, "Import", per_mail=4, hint="Wartezone D, 2. Stock"),
        slot_minutes=20,
        slots_per_appointment=2,
        demand="quiet",
    ),
    Office(
        10416,
        "KfZ Zulassungsstelle",
        "KfZ Zulassungsstelle (KVR-II/4321)",
        _EICHSTAETT,
        _KVR,
        Scope(70, "Ausfuhrkennzeichen", per_mail=1, hint="Wartezone C, 2. Stock"),
        slots_per_appointment=8,
    ),
    Office(
        10308174,
        "Führerscheinstelle",
        "Führerscheinstelle (KVR-II/44211)",
        _GARMISCH,
        _KVR,
        Scope(6, "Schalter A", custom="Geburtsdatum", custom_required=True, activation_minutes=60),
        slot_minutes=20,
    ),
    Office(
        10308175,
        "Führerscheinstelle",
        "Führerscheinstelle (KVR-II/44212)",
        _GARMISCH,
        _KVR,
        Scope(9, "Berufsfahrer", custom="Geburtsdatum", custom_required=True, activation_minutes=60),
        slot_minutes=15,
    ),
    Office(
        1094898,
        "Führerscheinstelle",
        "Führerscheinstelle (KVR-II/4422)",
        _GARMISCH,
        _KVR,
        Scope(12, "Ausgabe", custom="Geburtsdatum", custom_required=True, activation_minutes=60),
        demand="quiet",
    ),
    Office(
        10461,
        "Servicestelle für Zuwanderung und Einbürgerung",
        "Servicestelle für Zuwanderung und Einbürgerung (KVR-V/21)",
        _RUPPERT_19,
        _KVR,
        Scope(
            307,
            "Notfalltermine",
            captcha=True,
            custom="Worum geht es, und bis wann gilt Ihr Aufenthaltstitel?",
            custom_required=True,
            reservation_minutes=20,
            per_mail=4,
            hint="Eingang A, Tür 2",
        ),
        slot_minutes=10,
    ),
    Office(
        10187259,
        "Servicestelle für Zuwanderung und Einbürgerung",
        "Servicestelle für Zuwanderung und Einbürgerung (KVR-V/5)",
        _RUPPERT_19,
        _KVR,
        Scope(223, "Studium und Forschung", captcha=True, per_mail=2, hint="Eingang C, 1. Stock"),
        slot_minutes=10,
    ),
    Office(
        10308621,
        "Schnellschalter",
        "Schnellschalter (KVR-V/133)",
        _RUPPERT_19,
        _KVR,
        Scope(190, "Schnellschalter", per_mail=2, hint="Eingang A, Tür 2, 3. Stock"),
    ),
    Office(
        10456,
        "Dokumentenausgabe",
        "Dokumentenausgabe (KVR-V/132)",
        _RUPPERT_19,
        _KVR,
        Scope(193, "Dokumentenausgabe", email_required=False, hint="Eingang A, Tür 2, 2. Stock"),
        slot_minutes=15,
        demand="quiet",
    ),
    Office(
        10471,
        "Einbürgerungsbehörde",
        "Einbürgerungsbehörde (KVR-V/4)",
        _RUPPERT_11,
        _KVR,
        Scope(
            78,
            "Urkundenübergabe",
            telephone=True,
            custom="Fallnummer",
            custom_required=True,
            custom_2="Name der Sachbearbeitung",
            custom_2_required=True,
            reservation_minutes=30,
            activation_minutes=45,
            per_mail=4,
        ),
        slot_minutes=60,
        slots_per_appointment=1,
    ),
    Office(
        10470,
        "Standesamt München",
        "Standesamt München (KVR-II/111)",
        _RUPPERT_11,
        _KVR,
        Scope(
            93, "Eheschließungen", telephone=True, telephone_required=True, activation_minutes=60, per_mail=1
        ),
        slot_minutes=30,
        exclusive=True,
    ),
    Office(
        10351880,
        "Standesamt München-Pasing",
        "Standesamt München-Pasing (KVR-II/121)",
        _PASING,
        _KVR,
        Scope(
            108,
            "Eheschließungen",
            telephone=True,
            telephone_required=True,
            custom="Vor- und Familienname der zweiten Person",
            custom_required=True,
            activation_minutes=60,
            per_mail=1,
        ),
        slot_minutes=30,
        slots_per_appointment=1,
        exclusive=True,
    ),
    Office(
        10295168,
        "Standesamt München",
        "Standesamt München (KVR-II/1144)",
        _RUPPERT_11,
        _KVR,
        Scope(84, "Kirchenaustritte", activation_minutes=60, per_mail=1, hint="Wartezone 37"),
        exclusive=True,
        demand="quiet",
    ),
    Office(
        10351882,
        "Standesamt München-Pasing",
        "Standesamt München-Pasing (KVR-II/123)",
        _PASING,
        _KVR,
        Scope(
            111,
            "Kirchenaustritte",
            telephone=True,
            telephone_required=True,
            activation_minutes=60,
            per_mail=1,
        ),
        slot_minutes=10,
        exclusive=True,
        demand="quiet",
    ),
    Office(
        10546,
        "Gewerbeamt",
        "Gewerbeamt (KVR-III/21)",
        _IMPLER,
        _KVR,
        Scope(1, "Meldungen", per_mail=4, hint="Erdgeschoss, Wartebereich Gewerbe"),
        hours="office",
        demand="quiet",
    ),
    Office(
        1063278,
        "Gewerbeamt",
        "Gewerbeamt (KVR-III/23)",
        _IMPLER,
        _KVR,
        Scope(2, "Verkehr", captcha=True, activation_minutes=60, per_mail=3),
        hours="office",
        demand="quiet",
    ),
    Office(
        10427,
        "Kommunale Verkehrsüberwachung",
        "Kommunale Verkehrsüberwachung (KVR-I/31)",
        _IMPLER,
        _KVR,
        Scope(74, "Parkausweise", telephone=True, activation_minutes=60, hint="2. Stock, Aufzug A"),
        hours="office",
        demand="quiet",
    ),
    Office(
        1061963,
        "Fundbüro",
        "Fundbüro (KVR-III/32)",
        _IMPLER,
        _KVR,
        Scope(
            244,
            "Fundsachen",
            telephone=True,
            custom="F-Nummer oder verlorener Gegenstand",
            custom_required=True,
            activation_minutes=60,
            per_mail=4,
            hint="3. Stock",
        ),
        slot_minutes=20,
        slots_per_appointment=2,
        hours="office",
        demand="quiet",
    ),
    Office(
        10512,
        "Versicherungsamt",
        "Versicherungsamt (KVR-III/311)",
        _IMPLER,
        _KVR,
        Scope(
            5,
            "Rente",
            telephone=True,
            telephone_required=True,
            custom="Worum geht es?",
            custom_required=True,
            reservation_minutes=30,
            activation_minutes=60,
            per_mail=2,
        ),
        slot_minutes=15,
        slots_per_appointment=3,
        hours="office",
    ),
    *(
        Office(
            office_id,
            "Versicherungsamt",
            f"Versicherungsamt {kind}",
            _IMPLER,
            _KVR,
            Scope(scope_id, email_required=False, activation_minutes=60),
            slot_minutes=45,
            parent_id=10512,
            hours="office",
            demand="quiet",
        )
        for office_id, scope_id, kind in ((1, 371, "VIDEO"), (2, 369, "Telefon"), (3, 370, "Vor Ort"))
    ),
    Office(
        1063373,
        "Elternberatung",
        "Elternberatung (RBS-KITA-SuG)",
        Place("Landsberger Straße", "30", "80339", 48.139717, 11.544198),
        "Referat für Bildung und Sport",
        Scope(
            238,
            "KITA-Elternberatung",
            telephone=True,
            telephone_required=True,
            custom="Nachname und Geburtsdatum des Kindes",
            custom_required=True,
            activation_minutes=60,
            per_mail=2,
            info="Ihr Termin findet telefonisch statt. Bitte kommen Sie nicht in die Dienststelle.",
        ),
        slot_minutes=30,
        hours="office",
        demand="quiet",
    ),
    Office(
        10640,
        "Amt für Ausbildungsförderung",
        "Amt für Ausbildungsförderung (RBS-AFA)",
        _NEUHAUSER,
        "Referat für Bildung und Sport",
        Scope(235, "BAföG", activation_minutes=60, per_mail=2, hint="4. Stock"),
        slot_minutes=20,
        slots_per_appointment=2,
        hours="office",
        demand="quiet",
    ),
    # Listed, but without a counter: the city's answer to a search here is "try again later".
    Office(
        1049621,
        "Veterinäramt",
        "Veterinäramt (KVR-III/4)",
        _THALKIRCHEN,
        _KVR,
        None,
        slot_minutes=60,
    ),
)
