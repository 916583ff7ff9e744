"""Attack case A1 by somebody whom an identity provider knows by the number that a user of the blog has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attacked_apps import BLOG
from databases import Kind
from identity_provider import IdentityProvider, identity_provider
from served_site import NOWHERE, Owner, Site, serve_site
from target import Reply

AUDIENCE = "cellar"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running_site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider
) -> Iterator[Site]:
    """Return the blog, each of whose operations takes the tokens of the provider beside its own."""
    kind: Kind = request.param
    settings = {
        "DEMIJOHN_OIDC_ISSUER": provider.issuer,
        "DEMIJOHN_OIDC_JWKS_URL": provider.jwks_url,
        "DEMIJOHN_OIDC_AUDIENCE": AUDIENCE,
    }
    with serve_site(BLOG, kind, "granian", tmp_path_factory.mktemp("outsiders"), settings) as running:
        yield running


@pytest.fixture
def alice(site: Site) -> Owner:
    return site.owner()


class Outsider:
    """Ask with a token of the provider that says whatever it likes of its own user."""

    def __init__(self, site: Site, provider: IdentityProvider, **claims: Any) -> None:
        self._site, self._token = site, provider.token(**claims)
        site.told.add(self._token)

    def __call__(self, method: str, path: str, body: Any = None) -> Reply:
        return self._site.ask(method, path, body, token=self._token)


@pytest.mark.parametrize("more", [{}, {"roles": ["member"]}, {"uid": "ID"}, {"user": "ID", "id": "ID"}])
def test_a1_a_number_of_somebody_elses_is_no_user_here(
    site: Site, provider: IdentityProvider, alice: Owner, more: dict[str, object]
) -> None:
    number = str(alice.member.id)
    claims = {name: number if value == "ID" else value for name, value in more.items()}
    rows = site.rows()
    ask = Outsider(site, provider, sub=number, **claims)
    # The token is a good one: whoever is signed in may see the list.
    assert ask("GET", "/users").status == 200
    hidden, nowhere = ask("GET", f"/users/{number}"), ask("GET", f"/users/{NOWHERE}")
    # That there is such a user can be seen in the list.
    assert (hidden.status, nowhere.status) == (403, 404)
    assert alice.member.email.encode() not in hidden.body
    title = {"title": "Mallory's"}
    changes = {f"/posts/{alice.ids['post_id']}": title, f"/users/{number}/posts/{alice.ids['post_id']}": title}
    for path, body in {**changes, f"/users/{number}": {"email": "mallory@example.org"}}.items():
        assert ask("PATCH", path, body).status in (403, 404)
        assert ask("DELETE", path).status in (403, 404)
    for path in ("/posts", f"/users/{number}/posts"):
        assert ask("POST", path, {"title": "Hello", "body": "Mallory's"}).status in (403, 404)
    for path in ("/auth/me", "/users/profile", "/reports/monthly?year=2026"):
        assert ask("GET", path).status in (401, 404)
    for method, path in (("POST", "/auth/logout"), ("GET", "/more/sessions"), ("POST", "/more/keys")):
        assert ask(method, path).status in (401, 403)
    changed = {"current_password": "x", "new_password": "eight lives of a dog"}
    assert ask("POST", "/more/password", changed).status in (401, 403)
    assert site.rows() == rows


@pytest.mark.parametrize("sub", [7, True, None, ["1"], {"id": 1}, "", " 1", "01", "1\0", "1' OR '1'='1"])
def test_b6_a_subject_of_another_kind_breaks_nothing(site: Site, provider: IdentityProvider, sub: object) -> None:
    ask = Outsider(site, provider, sub=sub)
    assert ask("GET", "/users").status in (200, 401)
    assert ask("GET", "/users/1").status in (401, 403)
    assert ask("GET", "/auth/me").status == 401


def test_a3_a_role_of_the_provider_counts_as_the_contract_says(
    site: Site, provider: IdentityProvider, alice: Owner
) -> None:
    """What a provider calls an administrator is one here: the audience says that the token is for this API."""
    ask = Outsider(site, provider, sub="root", roles=["admin"])
    assert ask("GET", f"/users/{alice.member.id}").status == 200
    assert ask("PATCH", f"/posts/{alice.ids['post_id']}", {"title": "Moderated"}).status == 200
    # A post of nobody here cannot be stored.
    assert ask("POST", "/posts", {"title": "Hello", "body": "x"}).status == 403
