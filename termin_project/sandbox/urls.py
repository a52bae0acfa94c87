"""The sandbox's addresses in the web process: pages for people, handles for checks from outside."""

from django.urls import path

from termin_project.sandbox import views

app_name = "sandbox"

urlpatterns = [
    path("chat/", views.chat, name="chat"),
    path("mailbox/", views.mailbox, name="mailbox"),
    path("mailbox/confirm/<path:token>", views.confirm, name="confirm"),
    path("telegram/file/<str:file_id>", views.telegram_file, name="telegram-file"),
    path("telegram/<str:what>", views.telegram, name="telegram"),
    path("mail", views.mail, name="mail"),
    path("mail/addresses", views.mail_addresses, name="mail-addresses"),
    path("city/<str:what>", views.city, name="city"),
]
