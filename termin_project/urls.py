"""Every address of the web process."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from appointments.views import staff_login

urlpatterns: list[URLPattern | URLResolver] = [
    # Before the admin's own, so that attempts to sign in are limited.
    path("admin/login/", staff_login),
    path("admin/", admin.site.urls),
    path("captcha/", include("captcha.urls")),
    path("", include("appointments.urls")),
]

handler403 = "appointments.views.forbidden"
handler404 = "appointments.views.not_found"
handler500 = "appointments.views.server_error"

if settings.SIMULATED_TELEGRAM or settings.SIMULATED_CITY:
    urlpatterns.append(path("sandbox/", include("termin_project.sandbox.urls")))
