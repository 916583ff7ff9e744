"""The routes."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from .views import PersonViewSet

router = SimpleRouter(trailing_slash=False)
router.register("people", PersonViewSet)

urlpatterns = [path("api/", include(router.urls))]
