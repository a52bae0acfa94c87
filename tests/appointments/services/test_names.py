"""Own name only: fixed when a booking is kept, seldom changed, and never passed on."""

from datetime import timedelta

import pytest

from appointments.errors import AlreadyBooked, InvalidValue, MailLimitReached, NotAllowed, ProfileLimitReached
from appointments.models import Booking, NameChange, Profile, Subscriber
from appointments.selectors.profiles import MOST_ADDED
from appointments.services import bookings
from appointments.services.bookings import advance, keep_booking, release_booking, swap_booking
from appointments.services.contact import data_of
from appointments.services.names import (
    MOST_CHANGES,
    WINDOW,
    forget_names,
    forgive_names,
    mark_of,
    note_name_used,
)
from appointments.services.profiles import (
    add_profile,
    choose_person,
    delete_profile,
    remove_erased_profiles,
    save_profile,
)
from appointments.services.sending import contact_refused
from appointments.services.subscribers import forget_contact, save_contact
from appointments.states import BookingState as S
from appointments.upstream.errors import InvalidContact
from tests.appointments.services.counter import (
    THURSDAY_9,
    at_the_city,
    confirmed,
    known_slot,
    person,
    preconfirmed,
    reserved,
)
from tests.conftest import PASING
from tests.conftest import Office as Domain
from tests.factories import BookingFactory, ProfileFactory, SubscriberFactory, WatchFactory


def rename(who: Subscriber, name: str, office: Domain) -> str:
    """The reason why `who` may not be called `name` from now on; "" if they may."""
    who.refresh_from_db()
    try:
        save_contact(who, family_name=name, now=office.now())
    except InvalidValue as refused:
        return refused.reason
    return ""


def use(office: Domain, who: Subscriber, hours: int) -> None:
    """Book under the present name and cancel again."""
    booking = preconfirmed(office, who=who, starts_at=THURSDAY_9 + timedelta(hours=hours))
    release_booking(booking, now=office.now())
    office.work()


# What a name is


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada Lovelace", "ada  LOVELACE", True),
        ("Ada Lovelace", "Lovelace, Ada", True),
        ("José Núñez", "Jose Nunez", True),
        ("Anna-Lena Groß", "Anna Lena Gross", True),
        ("Ada Lovelace", "Ada Byron", False),
        ("Ann Li", "Ann Lu", False),
    ],
)
def test_the_mark_tells_names_apart_and_not_spellings(one: str, other: str, same: bool) -> None:
    assert (mark_of(one) == mark_of(other)) == same
    assert one not in mark_of(one)


# The reseller


def test_an_appointment_booked_under_one_name_is_not_given_to_another(office: Domain) -> None:
    booking = confirmed(office)
    who = booking.subscriber

    reason = rename(who, "Grace Hopper", office)

    booking.refresh_from_db()
    who.refresh_from_db()
    assert reason == "in_use"
    assert (booking.family_name, who.family_name) == ("Ada Lovelace", "Ada Lovelace")


def test_a_kept_hold_is_not_swapped_to_another_name(office: Domain) -> None:
    booking = reserved(office)
    other = known_slot(office, THURSDAY_9 + timedelta(hours=2))
    office.munich.faults.add("maintenance", 1, ["update-appointment"])
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert (booking.state, booking.family_name) == (S.RESERVED, "Ada Lovelace")

    reason = rename(booking.subscriber, "Grace Hopper", office)
    swap_booking(booking, other, now=office.now())
    office.work()

    assert reason == "in_use"
    again = office.booking()
    assert data_of(again).family_name == "Ada Lovelace"
    assert at_the_city(office) == ["reserved"]


def test_a_refused_address_does_not_open_the_name(office: Domain) -> None:
    booking = reserved(office, at=PASING)
    limit = office.munich.catalogue.offices[PASING].scope.per_mail
    for number in range(limit):
        stranger = person(office, email=booking.subscriber.email)
        preconfirmed(office, who=stranger, at=PASING, starts_at=THURSDAY_9 + timedelta(hours=1 + number))
    keep_booking(booking, now=office.now())
    office.work()
    booking.refresh_from_db()
    assert booking.reason == "tooManyAppointmentsWithSameMail"

    reason = rename(booking.subscriber, "Grace Hopper", office)
    save_contact(booking.subscriber, email="other@example.org", now=office.now())
    booking.refresh_from_db()
    keep_booking(booking, now=office.now())
    office.work()

    booking.refresh_from_db()
    assert reason == "in_use"
    assert (booking.state, booking.family_name, booking.email) == (
        S.PRECONFIRMED,
        "Ada Lovelace",
        "other@example.org",
    )


def test_a_name_the_city_refused_may_be_corrected(office: Domain) -> None:
    booking = reserved(office)
    keep_booking(booking, now=office.now())
    advance(booking, S.PRECONFIRMING, now=office.now(), lease_until=office.now() + timedelta(minutes=1))

    contact_refused(booking, InvalidContact("invalidFamilyName"), now=office.now())

    assert (booking.family_name, booking.email) == ("", booking.subscriber.email)
    assert rename(booking.subscriber, "Augusta Ada Lovelace", office) == ""


def test_what_was_never_sent_may_be_corrected_as_often_as_one_likes(office: Domain) -> None:
    who = person(office)
    booking = reserved(office, who=who)

    reasons = [rename(who, name, office) for name in ("Ada Lovelac", "Ada Byron", "Grace Hopper")]

    assert reasons == ["", "", ""]
    booking.refresh_from_db()
    assert data_of(booking).family_name == "Grace Hopper"
    assert not NameChange.objects.exists()


def test_an_appointment_made_elsewhere_does_not_fix_the_name_used_here(office: Domain) -> None:
    who = person(office, family_name="", contact_consented_at=None)
    BookingFactory(
        subscriber=who, confirmed=True, imported=True, now=office.now(), family_name="Ada King Lovelace"
    )

    assert rename(who, "Ada Lovelace", office) == ""


# Seldom


def test_two_other_names_are_used_then_staff_decides(office: Domain) -> None:
    who = person(office)
    for number, name in enumerate(("Ada Lovelace", "Grace Hopper", "Mary Shelley")):
        assert rename(who, name, office) == ""
        use(office, who, number)

    assert rename(who, "Jane Austen", office) == "too_many_names"
    assert NameChange.objects.filter(subscriber=who, kind="changed").count() == MOST_CHANGES

    assert forgive_names(who, now=office.now()) == MOST_CHANGES
    assert rename(who, "Jane Austen", office) == ""


def test_after_ninety_days_a_name_may_change_again(office: Domain) -> None:
    who = person(office, name_mark=mark_of("Mary Shelley"))
    for _change in range(MOST_CHANGES):
        NameChange.objects.create(subscriber=who, kind="changed", at=office.now())

    before = rename(who, "Jane Austen", office)
    office.munich.clock.advance(WINDOW + timedelta(minutes=1))

    assert (before, rename(who, "Jane Austen", office)) == ("too_many_names", "")


def test_erasing_the_name_does_not_make_room_for_another(office: Domain) -> None:
    who = person(office, name_mark=mark_of("Ada Lovelace"))
    for _change in range(MOST_CHANGES):
        NameChange.objects.create(subscriber=who, kind="changed", at=office.now())
    forget_contact(who)

    assert rename(who, "Grace Hopper", office) == "too_many_names"
    assert rename(who, "Ada Lovelace", office) == ""


def test_the_same_name_again_is_no_change(office: Domain) -> None:
    who = person(office)
    use(office, who, 0)
    who.refresh_from_db()
    forget_contact(who)
    save_contact(who, family_name="Lovelace, Ada", email="ada@example.org", now=office.now())

    use(office, who, 1)

    assert not NameChange.objects.exists()


def test_a_name_used_is_noted_once_however_often_it_is_told(office: Domain) -> None:
    who = person(office, name_mark=mark_of("Mary Shelley"))
    booking = preconfirmed(office, who=who)

    booking = Booking.objects.get(pk=booking.pk)
    note_name_used(booking, now=office.now())

    assert NameChange.objects.filter(subscriber=who).count() == 1


def test_what_counts_no_more_is_forgotten(office: Domain) -> None:
    old = office.now() - WINDOW - timedelta(days=1)
    gone = SubscriberFactory(now=old, name_mark="x" * 64, name_used_at=old)
    stays = SubscriberFactory(now=old, known=True, name_mark="y" * 64, name_used_at=old)
    NameChange.objects.create(subscriber=stays, kind="changed", at=old)

    forget_names(now=office.now())

    gone.refresh_from_db()
    stays.refresh_from_db()
    assert (gone.name_mark, stays.name_mark) == ("", "y" * 64)
    assert not NameChange.objects.exists()


# People to book for


def mum_of(who: Subscriber, office: Domain, **fields: str) -> Profile:
    data = {"label": "Mum", "family_name": "Anne Byron"} | fields
    return ProfileFactory(subscriber=who, now=office.now(), **data)


def test_the_data_of_the_person_it_is_for_go_to_the_city(office: Domain) -> None:
    booking = reserved(office)
    profile = mum_of(booking.subscriber, office, email="anne@example.org", telephone="+4989233960")
    choose_person(booking, profile, now=office.now())

    keep_booking(booking, now=office.now())
    office.work()

    process = office.munich.reservations[0]
    assert (process.family_name, process.email) == ("Anne Byron", "anne@example.org")
    profile.refresh_from_db()
    assert profile.name_mark == mark_of("Anne Byron")
    assert not booking.subscriber.name_mark


def test_a_person_without_an_address_is_reached_at_the_subscribers(office: Domain) -> None:
    booking = reserved(office)
    choose_person(booking, mum_of(booking.subscriber, office), now=office.now())

    keep_booking(booking, now=office.now())
    office.work()

    process = office.munich.reservations[0]
    assert (process.family_name, process.email) == ("Anne Byron", booking.subscriber.email)


def test_one_books_the_same_service_for_mum_and_for_oneself(office: Domain) -> None:
    who = person(office)
    mum = mum_of(who, office)
    first = reserved(office, who=who)
    choose_person(first, mum, now=office.now())
    keep_booking(first, now=office.now())
    office.work()
    office.open_mailed_link()
    office.advance(seconds=12)
    office.sweep()

    own = reserved(office, who=who, starts_at=THURSDAY_9 + timedelta(hours=1))

    first.refresh_from_db()
    assert (first.state, first.profile, own.state, own.profile) == (S.CONFIRMED, mum, S.RESERVED, None)


def test_a_search_for_oneself_is_served_while_mum_has_her_appointment(office: Domain) -> None:
    who = person(office)
    mum = mum_of(who, office)
    watch = office.watch(subscriber=who, mode="hold")
    search = watch.search
    BookingFactory(
        subscriber=who, profile=mum, search=search, now=office.now(), confirmed=True, starts_at=THURSDAY_9
    )
    office.open(THURSDAY_9 + timedelta(hours=3))

    office.look()

    held = Booking.objects.get(watch=watch)
    assert (held.state, held.profile) == (S.RESERVED, None)


def test_a_search_for_mum_holds_for_mum(office: Domain) -> None:
    who = person(office)
    mum = mum_of(who, office)
    office.watch(subscriber=who, mode="auto", profile_id=mum.pk)
    office.open(THURSDAY_9)

    office.look(10)

    booking = office.booking()
    assert (booking.profile, booking.family_name, booking.state) == (mum, "Anne Byron", S.PRECONFIRMED)


def test_a_search_for_somebody_elses_mum_cannot_be_made(office: Domain) -> None:
    stranger = mum_of(person(office), office)

    with pytest.raises(InvalidValue):
        office.watch(profile_id=stranger.pk)


def test_once_kept_it_stays_with_the_person_it_was_kept_for(office: Domain) -> None:
    booking = preconfirmed(office)
    profile = mum_of(booking.subscriber, office)

    with pytest.raises(NotAllowed):
        choose_person(booking, profile, now=office.now())


def test_nobody_is_chosen_who_has_this_appointment_already(office: Domain) -> None:
    held = reserved(office)
    mum = mum_of(held.subscriber, office)
    BookingFactory(
        subscriber=held.subscriber, profile=mum, search=held.search, now=office.now(), confirmed=True
    )

    with pytest.raises(AlreadyBooked):
        choose_person(held, mum, now=office.now())

    held.refresh_from_db()
    assert (held.state, held.profile, held.wish) == (S.RESERVED, None, Booking.Wish.ASK)


def test_nobody_is_chosen_whose_address_the_office_would_refuse(office: Domain) -> None:
    held = reserved(office)
    mum, dad = mum_of(held.subscriber, office), mum_of(held.subscriber, office, email="dad@example.org")
    held.office.appointments_per_mail = 1
    held.office.save()
    other = BookingFactory(
        subscriber=held.subscriber,
        office=held.office,
        now=office.now(),
        confirmed=True,
        email=held.subscriber.email,
    )

    with pytest.raises(MailLimitReached) as refused:
        choose_person(held, mum, now=office.now())

    assert refused.value.booking_id == other.pk
    assert choose_person(held, dad, now=office.now()).profile == dad


def test_it_is_not_kept_with_ones_name_for_whom_another_was_chosen_meanwhile(
    office: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = reserved(office)
    mum = mum_of(held.subscriber, office)

    def chosen_meanwhile(booking: Booking) -> tuple[str, ...]:
        Booking.objects.filter(pk=booking.pk).update(profile=mum)
        return ()

    monkeypatch.setattr(bookings, "missing_contact", chosen_meanwhile)
    with pytest.raises(NotAllowed):
        keep_booking(held, now=office.now())

    held.refresh_from_db()
    assert (held.profile, held.family_name, held.wish) == (mum, "", Booking.Wish.ASK)


def test_a_profile_renamed_while_its_appointment_stands_keeps_its_name(office: Domain) -> None:
    booking = reserved(office)
    profile = mum_of(booking.subscriber, office)
    choose_person(booking, profile, now=office.now())
    keep_booking(booking, now=office.now())
    office.work()

    with pytest.raises(InvalidValue) as refused:
        save_profile(profile, family_name="Grace Hopper", now=office.now())
    save_profile(profile, email="new@example.org", now=office.now())

    assert refused.value.reason == "in_use"


def test_deleting_a_person_wipes_ended_bookings_and_gives_back_what_is_held(office: Domain) -> None:
    who = person(office)
    mum = mum_of(who, office)
    over = BookingFactory(
        subscriber=who, profile=mum, now=office.now(), cancelled=True, family_name="Anne", email="a@b.org"
    )
    held = reserved(office, who=who)
    choose_person(held, mum, now=office.now())
    watch = WatchFactory(subscriber=who, profile=mum, now=office.now())

    delete_profile(mum, now=office.now())
    office.work()
    remove_erased_profiles()

    over.refresh_from_db()
    held.refresh_from_db()
    watch.refresh_from_db()
    assert (over.family_name, over.email) == ("", "")
    assert (held.state, watch.state) == (S.CANCELLED, "deleted")
    assert not Profile.objects.exists()


def test_an_appointment_of_a_deleted_person_stays_with_its_data_until_it_is_over(office: Domain) -> None:
    who = person(office)
    mum = mum_of(who, office)
    held = reserved(office, who=who)
    choose_person(held, mum, now=office.now())
    keep_booking(held, now=office.now())
    office.work()

    delete_profile(mum, now=office.now())

    held.refresh_from_db()
    row = Profile.objects.get()
    assert (held.state, held.family_name, held.profile) == (S.PRECONFIRMED, "Anne Byron", mum)
    assert (row.label, row.family_name, row.email) == ("", "", "")
    release_booking(held, now=office.now())
    office.work()
    assert remove_erased_profiles() == 1


def test_adding_and_deleting_in_turn_is_noticed(office: Domain) -> None:
    who = person(office)
    for number in range(MOST_ADDED):
        delete_profile(add_profile(who, f"Nr {number}", now=office.now()), now=office.now())

    with pytest.raises(ProfileLimitReached):
        add_profile(who, "One more", now=office.now())
