"""The view set, its search and its pages.

With `CACHE_S` in the environment, answers are kept in memory for so many seconds by Django's `cache_page`, the way
https://www.django-rest-framework.org/api-guide/caching/ shows it.
"""

import os
from typing import Any

from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework.filters import SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, DecimalField, IntegerField, ModelSerializer, Serializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from peers.books import MOST_PER_PAGE, PER_PAGE, envelope

from .models import Book

CACHE_S = int(os.environ.get("CACHE_S", "0"))


class BookSerializer(ModelSerializer):
    """A book; its rating is a number, as JSON has them."""

    average_rating = DecimalField(max_digits=3, decimal_places=2, coerce_to_string=False)

    class Meta:
        """The columns."""

        model = Book
        fields = (
            "id",
            "title",
            "authors",
            "isbn",
            "isbn13",
            "year",
            "language",
            "average_rating",
            "ratings_count",
            "copies",
            "available",
            "cover_url",
            "goodreads_id",
            "created_at",
            "updated_at",
        )


class Search(SearchFilter):
    """Find by the words of `q`, each of which has to be there."""

    search_param = "q"


class PageSerializer(Serializer):
    """Which page a client may ask for, and of what."""

    q = CharField(max_length=100, required=False)
    page = IntegerField(min_value=1, max_value=1_000_000, default=1)
    per_page = IntegerField(min_value=1, max_value=MOST_PER_PAGE, default=PER_PAGE)


class Pages(PageNumberPagination):
    """Answer one page in the envelope of the catalogue, and refuse a number of it that is none."""

    page_size = PER_PAGE
    page_size_query_param = "per_page"
    max_page_size = MOST_PER_PAGE

    def paginate_queryset(self, queryset: QuerySet[Book], request: Request, view: Any = None) -> list[Book] | None:
        """Return the books of the page."""
        PageSerializer(data=request.query_params).is_valid(raise_exception=True)
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        """Answer the books, and how many there are."""
        paginator = self.page.paginator
        return Response(envelope(data, paginator.count, self.page.number, paginator.per_page))


class BookViewSet(ReadOnlyModelViewSet):
    """Serve the catalogue."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    filter_backends = (Search,)
    search_fields = ("title", "authors")
    pagination_class = Pages


class KeptBookViewSet(BookViewSet):
    """Serve the catalogue, each answer for a while."""

    @method_decorator(cache_page(CACHE_S))
    def list(self, *given: Any, **named: Any) -> Response:
        """Answer one page of what was found."""
        return super().list(*given, **named)

    @method_decorator(cache_page(CACHE_S))
    def retrieve(self, *given: Any, **named: Any) -> Response:
        """Answer one book, or 404."""
        return super().retrieve(*given, **named)
