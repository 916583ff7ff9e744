"""The view set, and what it validates by."""

from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter, OrderingFilter
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import IntegerField, ModelSerializer, Serializer, ValidationError
from rest_framework.viewsets import ModelViewSet

from .models import Person


class StrictSerializer(ModelSerializer):
    """Refuse what is not a field."""

    def validate(self, attrs: Any) -> Any:
        """Refuse unknown properties, and those that cannot be written."""
        unknown = [name for name in self.initial_data if name not in self.fields or self.fields[name].read_only]
        if unknown:
            raise ValidationError(dict.fromkeys(unknown, "Unknown."))
        return attrs


class PersonSerializer(StrictSerializer):
    """A person."""

    class Meta:
        """The columns."""

        model = Person
        fields = ("id", "name", "email", "country", "score", "created_at")


class PersonUpdateSerializer(StrictSerializer):
    """A person, of whom only two properties may be changed."""

    class Meta(PersonSerializer.Meta):
        """The others are there to be shown."""

        read_only_fields = ("id", "email", "country", "created_at")


class PersonFilter(FilterSet):
    """What a client may ask of a list."""

    country = CharFilter(validators=Person._meta.get_field("country").validators)
    sort = OrderingFilter(fields=("name", "created_at"))

    class Meta:
        """The filters are all above."""

        model = Person
        fields = ()


class LimitSerializer(Serializer):
    """How many people a client may ask for."""

    limit = IntegerField(min_value=1, max_value=100, default=20)


class Limited(BasePagination):
    """Answer the first rows as a plain array."""

    def paginate_queryset(self, queryset: QuerySet[Person], request: Request, view: Any = None) -> list[Person]:
        """Return as many rows as the client asks for."""
        given = LimitSerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        return list(queryset[: given.validated_data["limit"]])

    def get_paginated_response(self, data: Any) -> Response:
        """Answer the rows without an envelope."""
        return Response(data)


class PersonViewSet(ModelViewSet):
    """Serve people."""

    queryset = Person.objects.all()
    filter_backends = (DjangoFilterBackend,)
    filterset_class = PersonFilter
    pagination_class = Limited
    http_method_names = ("get", "post", "patch")

    def get_serializer_class(self) -> type[StrictSerializer]:
        """Take other properties for a change than for a new person."""
        return PersonUpdateSerializer if self.action == "partial_update" else PersonSerializer
