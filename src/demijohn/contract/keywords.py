"""What every stage has to know of JSON Schema: where schemas are in schemas, and how patterns are run."""

from __future__ import annotations

import jsonschema_rs

__all__ = ["BACKTRACK_STEPS", "LISTS", "MAPS", "PATTERNS", "SINGLES"]

# Keywords whose values are schemas: one, a list, a mapping of names. Everything else is no schema.
SINGLES = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})

# A pattern with look-around gives up after so many steps; one without never backtracks, it runs in linear time.
BACKTRACK_STEPS = 10_000
PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_STEPS)
