"""Which view answers which path."""

from __future__ import annotations

from django.urls import path

from examples.django_app import views

urlpatterns = [
    path("", views.home),
    path("hello/<str:name>", views.hello),
    path("items/<int:item_id>", views.item),
    path("echo", views.echo),
    path("visits", views.visits),
    path("ticks", views.ticks),
    path("error", views.error),
]
