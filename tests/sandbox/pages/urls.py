"""The project's addresses with the sandbox's, whatever is simulated."""

from django.urls import include, path

from termin_project.urls import urlpatterns as project

urlpatterns = [path("sandbox/", include("termin_project.sandbox.urls")), *project]
