"""Every operation of a running application, from its contract as it is served, with a good request for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from served_site import NOWHERE, Member, Owner, Site

__all__ = ["Case", "cases"]

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Case:
    """Be one operation of the contract as it is served."""

    method: str
    path: str
    operation: dict[str, Any]
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def security(self) -> list[dict[str, list[str]]]:
        found: list[dict[str, list[str]]] = self.operation.get("security", self.document["security"])
        return found

    @property
    def is_public(self) -> bool:
        return not self.security or {} in self.security

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.operation["responses"]}

    @property
    def good(self) -> int:
        return min(status for status in self.statuses if 200 <= status < 300)

    @property
    def keys(self) -> set[str]:
        """Return the names of the parameters in its path."""
        return set(re.findall(r"{(\w+)}", self.path))

    def allows(self, role: str) -> bool:
        """Tell whether the contract lets somebody with a role do it."""
        return any(set(scopes) <= {role} for one in self.security for scopes in one.values())

    def at(self, owner: Owner) -> str:
        """Return the path of what somebody has."""
        return self.filled(**owner.ids)

    def filled(self, **ids: int) -> str:
        return self.path.format(**{name: ids.get(name, NOWHERE) for name in self.keys})

    def body(self, site: Site, member: Member) -> dict[str, Any] | None:
        """Return a good body: the example of the contract, with names that nobody has yet."""
        if "requestBody" not in self.operation:
            return None
        if self.path == f"{site.accounts}/login":
            return member.credentials
        if self.path == f"{site.accounts}/refresh":
            return {"refresh_token": member.refresh}
        number = next(site.numbers)
        example = self.document["components"]["schemas"][self.schema].get("example", {})
        unique = {"username": f"fresh{number}", "email": f"fresh{number}@example.org", "name": f"cup {number}"}
        changes = site.app.bodies[self.name](site) if self.name in site.app.bodies else {}
        return {**example, **{name: value for name, value in unique.items() if name in example}, **changes}

    @property
    def schema(self) -> str:
        """Return the name of the schema of its body."""
        schema = self.operation["requestBody"]["content"]["application/json"]["schema"]
        return str(schema["$ref"].rpartition("/")[2])

    @property
    def properties(self) -> dict[str, set[str]]:
        """Return the types that each property of its body may have."""
        properties = self.document["components"]["schemas"][self.schema]["properties"]
        types = {name: self.resolved(one).get("type", []) for name, one in properties.items()}
        return {name: {one} if isinstance(one, str) else set(one) for name, one in types.items()}

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema, or the one of the contract that it names."""
        found: dict[str, Any] = schema
        if "$ref" in schema:
            found = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Return its own parameters, and those of its path."""
        named = self.document["components"]["parameters"]
        found = [*self.document["paths"][self.path].get("parameters", []), *self.operation.get("parameters", [])]
        return [named[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in found]

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that it cannot do without."""
        needed = {one["name"] for one in self.parameters if one["in"] == "header" and one.get("required")}
        assert needed <= {"If-Match"}
        return {"If_Match": "*"} if needed else {}


def cases(site: Site) -> list[Case]:
    """Return every operation of the contract."""
    document = site.ask("GET", "/openapi.json").json
    return [
        Case(method.upper(), path, item[method], document)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
