"""Questions about the people somebody books for."""

from datetime import timedelta

from appointments.models import Profile, Subscriber, Watch

# A family; nobody who means well has more.
MOST_PROFILES = 6
# Deleting one and adding another is a new person, too: so many within `ADDED_WITHIN`.
MOST_ADDED, ADDED_WITHIN = 8, timedelta(days=90)


def profiles_of(subscriber: Subscriber) -> list[Profile]:
    """The people `subscriber` books for besides themselves, in the order they were added."""
    return list(Profile.objects.filter(subscriber=subscriber, erased_at=None))


def profile_of(subscriber: Subscriber, profile_id: object) -> Profile | None:
    """The profile with this number if it is `subscriber`'s; buttons carry numbers anybody could make up."""
    if not isinstance(profile_id, int):
        return None
    found = Profile.objects.filter(pk=profile_id, subscriber=subscriber, erased_at=None)
    return found.select_related("subscriber").first()


def whom_was_chosen(watch: Watch | None) -> bool:
    """Whether it was said for whom `watch` is. Who had profiles when it was made has seen the choice."""
    if watch is None:
        return False
    if watch.profile_id is not None:
        return True
    return Profile.objects.filter(subscriber=watch.subscriber_id, created_at__lte=watch.created_at).exists()
