"""Django REST Framework: the catalogue of the Library, by a read-only view set with a search filter and pages."""
