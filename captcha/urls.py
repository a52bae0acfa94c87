"""Addresses of the page where people solve."""

from django.urls import URLPattern, path

from captcha import views

app_name = "captcha"
urlpatterns: list[URLPattern] = [
    path("", views.staff, name="staff"),
    path("<str:ticket>/", views.solve, name="solve"),
    path("<str:ticket>/start/", views.start, name="start"),
    path("<str:ticket>/done/", views.hand_in, name="hand-in"),
]
