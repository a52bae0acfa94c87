from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """The domain; its system checks are registered when it is ready."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "appointments"

    def ready(self) -> None:
        from appointments import checks  # noqa: F401 - importing registers them
