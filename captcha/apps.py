from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CaptchaConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "captcha"
    verbose_name = _("Captcha")
