"""The table, which the comparison makes."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models


class Person(models.Model):
    """A person."""

    name = models.CharField(max_length=100)
    email = models.EmailField(max_length=120, unique=True)
    country = models.CharField(max_length=2, validators=[RegexValidator("^[A-Z]{2}$")])
    score = models.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(1000)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The table's name is everybody's."""

        managed = False
        db_table = "person"
        ordering = ("id",)
