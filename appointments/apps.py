from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """The domain; its system checks are registered when it is ready."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "appointments"

    def ready(self) -> None:
        from appointments import checks  # noqa: F401 - importing registers them
        from appointments.services import verification
        from captcha.signals import cost_rose, token_stored

        token_stored.connect(verification.hear_of_token, dispatch_uid="appointments")
        cost_rose.connect(verification.hear_of_cost, dispatch_uid="appointments")
