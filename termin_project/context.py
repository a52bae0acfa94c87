"""What every page may know about the installation."""

from django.conf import settings
from django.http import HttpRequest


def practice(request: HttpRequest) -> dict[str, object]:
    """`practice` is true while the city is simulated; pages then say that nothing on them is real."""
    return {
        "practice": settings.SIMULATED_CITY,
        "simulated_telegram": settings.SIMULATED_TELEGRAM,
        "operator_name": settings.OPERATOR_NAME,
        "operator_contact": settings.OPERATOR_CONTACT,
    }
