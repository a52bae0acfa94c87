"""Addresses of the domain's pages."""

from django.urls import URLPattern, path

from appointments import views

app_name = "appointments"
urlpatterns: list[URLPattern] = [
    path("", views.home, name="home"),
    path("status", views.status, name="status"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("dashboard/live/", views.dashboard_live, name="dashboard-live"),
]
