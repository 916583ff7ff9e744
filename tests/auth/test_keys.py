"""Keys: of the secret or in files, changed while servers run."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from flask import Flask

from demijohn import SettingError, Settings
from demijohn.auth import keys as module
from demijohn.auth.keys import KeyFolder, Keys
from demijohn.auth.tokens import InvalidToken, Tokens, jwks_blueprint

ES256 = Settings(token_algorithm="ES256")
FILES = ["RS256", "ES256", "EdDSA"]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return Flask("cellar", instance_path=str(tmp_path / "instance"))


@pytest.fixture
def folder(app: Flask) -> KeyFolder:
    return KeyFolder.of(app, ES256)


def tokens_of(app: Flask, settings: Settings = ES256) -> Tokens:
    return Tokens(Keys.load(app, settings), settings)


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic
    monkeypatch.setattr("demijohn.auth.keys.time.monotonic", lambda: now() + seconds)


@pytest.mark.parametrize("algorithm", ["HS256", *FILES])
def test_each_algorithm_signs_and_verifies(app: Flask, algorithm: str) -> None:
    settings = Settings.load({"DEMIJOHN_TOKEN_ALGORITHM": algorithm})
    token, lifetime_s = tokens_of(app, settings).issue("7", "session")
    assert tokens_of(app, settings).read(token).subject == "7"
    assert lifetime_s == 900
    assert jwt.get_unverified_header(token)["alg"] == algorithm


def test_the_secret_is_another_one_for_tokens_than_for_anything_else(app: Flask) -> None:
    app.secret_key = "s3cr3t-of-the-cellar-of-32-bytes-or-more"
    token, _ = tokens_of(app, Settings()).issue("7", "session")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, app.secret_key, algorithms=["HS256"], audience="cellar")


def test_a_former_secret_verifies_and_does_not_sign(app: Flask) -> None:
    app.secret_key = "the-first-s3cr3t-of-the-cellar-0123456789"
    before, _ = tokens_of(app, Settings()).issue("7", "session")
    app.secret_key, app.config["SECRET_KEY_FALLBACKS"] = "another-s3cr3t-of-the-cellar-9876543210", [app.secret_key]
    tokens = tokens_of(app, Settings())
    assert tokens.read(before).subject == "7"
    after, _ = tokens.issue("8", "session")
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert tokens_of(app, Settings()).read(after).subject == "8"
    with pytest.raises(InvalidToken):
        tokens_of(app, Settings()).read(before)


@pytest.mark.parametrize("algorithm", FILES)
def test_the_first_key_is_made_for_its_owner_only(app: Flask, algorithm: str) -> None:
    settings = Settings.load({"DEMIJOHN_TOKEN_ALGORITHM": algorithm})
    first = Keys.load(app, settings)
    folder = Path(app.instance_path, "keys")
    (file,) = folder.iterdir()
    assert file.suffix == ".pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Keys.load(app, settings).signing.kid == first.signing.kid == file.stem
    assert file.stem in repr(first.signing)


def test_the_folder_is_that_of_the_settings(app: Flask, tmp_path: Path) -> None:
    Keys.load(app, Settings(token_algorithm="EdDSA", token_keys=str(tmp_path / "mounted")))
    assert len(list((tmp_path / "mounted").glob("*.pem"))) == 1


def test_in_production_the_log_says_that_a_key_was_made(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    Keys.load(app, Settings(token_algorithm="EdDSA", environment="production"))
    assert "every other machine" in caplog.text


def test_what_keeps_keys_from_being_made_is_told(app: Flask) -> None:
    Path(app.instance_path).write_text("no folder")
    with pytest.raises(SettingError, match="Not a directory"):
        Keys.load(app, ES256)


def test_a_key_of_another_process_is_known_at_once(app: Flask, folder: KeyFolder) -> None:
    running = tokens_of(app)
    made = folder.make()
    token, _ = tokens_of(app).issue("7", "session")
    assert jwt.get_unverified_header(token)["kid"] == made.stem
    assert running.read(token).subject == "7"


def test_a_running_process_signs_with_a_new_key_after_seconds(
    app: Flask, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Keys.load(app, ES256)
    before = running.signing
    made = folder.make()
    assert running.signing is before
    later(monkeypatch, 6)
    assert running.signing.kid == made.stem
    assert running.find(before.kid) is not None


def test_a_key_that_is_removed_verifies_nothing_any_more_not_even_what_it_verified_before(
    app: Flask, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = tokens_of(app)
    token, _ = running.issue("7", "session")
    assert running.read(token) is running.read(token)
    folder.make()
    assert len(folder.remove_old(at_once=True)) == 1
    later(monkeypatch, 6)
    with pytest.raises(InvalidToken):
        running.read(token)


def test_old_keys_go_when_their_last_token_has_ended(app: Flask, folder: KeyFolder) -> None:
    first, second, third = (folder.make() for _ in range(3))
    assert folder.remove_old() == []
    over_s = time.time() - 900 - 5 - 61
    os.utime(first, (over_s, over_s))
    assert folder.remove_old() == [], "the age of a key itself tells nothing: it has signed until the next one came"
    os.utime(second, (over_s, over_s))
    assert folder.remove_old() == [first.stem]
    assert [key.kid for key in folder.read()] == [second.stem, third.stem]


def test_tokens_live_on_when_the_algorithm_changes(app: Flask) -> None:
    before, _ = tokens_of(app, Settings(token_algorithm="RS256")).issue("7", "session")
    tokens = tokens_of(app)
    assert tokens.read(before).subject == "7"
    assert jwt.get_unverified_header(tokens.issue("7", "session")[0])["alg"] == "ES256"
    assert [key["alg"] for key in tokens.jwks()["keys"]] == ["RS256", "ES256"]


def _pem(password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_every_file_that_is_no_key_is_told(app: Flask, folder: KeyFolder) -> None:
    good = folder.make()
    files = {
        "open.pem": good.read_bytes(),
        "no key.pem": good.read_bytes(),
        "text.pem": b"hello",
        "other-curve.pem": _pem(),
        "locked.pem": _pem(b"password"),
    }
    for name, text in files.items():
        (good.parent / name).write_bytes(text)
        (good.parent / name).chmod(0o644 if name == "open.pem" else 0o600)
    (good.parent / "README").write_text("not looked at")
    with pytest.raises(SettingError) as caught:
        Keys.load(app, ES256)
    told = "\n".join(map(str, caught.value.problems))
    assert len(caught.value.problems) == len(files)
    assert "open.pem: others may read or change this key; `chmod 600` it" in told
    assert "no key.pem: found another name" in told
    assert "text.pem: found no private key in PEM" in told
    assert "other-curve.pem: found another kind of key" in told
    assert "locked.pem: found no private key in PEM without a password" in told


def test_a_bad_file_beside_a_running_process_is_for_the_log(
    app: Flask, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = tokens_of(app)
    token, _ = running.issue("7", "session")
    (folder.path / "z.pem").touch(mode=0o600)
    later(monkeypatch, 6)
    assert running.read(token).subject == "7"
    assert "z.pem" in caplog.text


def test_keys_that_all_go_away_beside_a_running_process_stay_in_use(
    app: Flask, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = tokens_of(app)
    for file in folder.path.iterdir():
        file.unlink()
    later(monkeypatch, 6)
    token, _ = running.issue("7", "session")
    assert running.read(token).subject == "7"
    assert "found no key for ES256" in caplog.text


def test_a_new_key_that_would_not_sign_is_not_made(folder: KeyFolder) -> None:
    folder.make().rename(folder.path / "zebra.pem")
    with pytest.raises(SettingError, match="found zebra, which comes after"):
        folder.make()
    assert [file.name for file in folder.path.iterdir()] == ["zebra.pem"]


@pytest.mark.parametrize("kid", ["../../dev/null", "/etc/passwd", "' UNION SELECT 'x", "x" * 10_000, "\0", ""])
def test_the_name_of_an_unknown_key_opens_no_file(app: Flask, monkeypatch: pytest.MonkeyPatch, kid: str) -> None:
    running = Keys.load(app, ES256)
    looked: list[str] = []
    scan: Callable[[Path], object] = os.scandir

    def recorded(path: Path) -> object:
        looked.append(str(path))
        return scan(path)

    monkeypatch.setattr("demijohn.auth.keys.os.scandir", recorded)
    monkeypatch.setattr(module, "_read", lambda file: pytest.fail("a file was read"))
    assert running.find(kid) is None
    assert looked == [str(Path(app.instance_path, "keys"))]


@pytest.mark.parametrize("algorithm", FILES)
def test_the_public_keys_are_served_and_nothing_else_of_them(app: Flask, algorithm: str) -> None:
    tokens = tokens_of(app, Settings.load({"DEMIJOHN_TOKEN_ALGORITHM": algorithm}))
    assert tokens.is_public
    app.register_blueprint(jwks_blueprint(tokens))
    response = app.test_client().get("/.well-known/jwks.json")
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    (published,) = response.get_json()["keys"]
    assert published.keys() <= {"kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops"}
    token, _ = tokens.issue("7", "session")
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    assert jwt.decode(token, jwt.PyJWK(published), audience="cellar", issuer="cellar")["sub"] == "7"
    again = app.test_client().get("/.well-known/jwks.json", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_a_secret_is_not_published(app: Flask) -> None:
    tokens = tokens_of(app, Settings())
    assert tokens.jwks() == {"keys": []}
    assert not tokens.is_public
