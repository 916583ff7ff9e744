"""Django REST Framework: a ModelViewSet with a ModelSerializer, a filter set and a paginator."""
