"""The table, which the comparison makes."""

from django.db import models


class Book(models.Model):
    """A book, as far as the catalogue shows it."""

    title = models.CharField(max_length=300)
    authors = models.JSONField()
    isbn = models.CharField(max_length=10, null=True)
    isbn13 = models.CharField(max_length=13, null=True)
    year = models.IntegerField(null=True)
    language = models.CharField(max_length=10, null=True)
    average_rating = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    ratings_count = models.IntegerField()
    copies = models.IntegerField()
    available = models.IntegerField()
    cover_url = models.CharField(max_length=500, null=True)
    goodreads_id = models.IntegerField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        """The table's name is everybody's."""

        managed = False
        db_table = "books"
        ordering = ("title", "id")
