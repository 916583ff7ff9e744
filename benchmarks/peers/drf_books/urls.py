"""The routes."""

from rest_framework.routers import SimpleRouter

from .views import CACHE_S, BookViewSet, KeptBookViewSet

router = SimpleRouter(trailing_slash=False)
router.register("books", KeptBookViewSet if CACHE_S else BookViewSet)

urlpatterns = router.urls
