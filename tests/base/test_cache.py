"""The cache of prepared data: where it lies, and that an entry is whole or not there."""

import json
from pathlib import Path

import pytest

from fer_jax.base import cache
from fer_jax.base.cache import Damaged, Place
from fer_jax.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def place() -> Place:
    return Place("/somewhere/faces", "a state", "fer2013")


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.root() == tmp_path / "here"
    monkeypatch.delenv("FER_JAX_CACHE")
    assert cache.root() == tmp_path / "xdg" / "fer_jax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.root() == tmp_path / ".cache" / "fer_jax"


def test_users_caches_stay_where_they_are(place: Place, own_cache: Path) -> None:
    assert cache.FORMAT == 1
    assert place.entry == own_cache / "data" / "faces-fadf73637e8f1205" / "1b1c710d2a8092f4"


def test_a_place_belongs_to_source_state_and_way_of_reading(place: Place) -> None:
    assert Place("/somewhere/faces", "another state", "fer2013").home == place.home
    others = [
        Place("/somewhere/faces", "another state", "fer2013"),
        Place("/somewhere/faces", "a state", "folders"),
        Place("/elsewhere/faces", "a state", "fer2013"),
    ]
    assert len({place.entry, *(other.entry for other in others)}) == 4
    assert Place("/", "a state", "folders").home.name.startswith("data-")


def test_a_note_is_read_back_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    content = {"classes": ["angry", "glücklich"], "count": 3}
    cache.write_note(path, content)
    assert cache.read_note(path) == content
    changed = json.loads(path.read_text())
    changed["content"]["count"] = 4
    for text in (json.dumps(changed), "[]", "{", "", "{}"):
        path.write_text(text)
        with pytest.raises(Damaged, match="^note.json: "):
            cache.read_note(path)
    path.unlink()
    with pytest.raises(Damaged):
        cache.read_note(path)


def test_an_entry_appears_when_it_is_complete(place: Place) -> None:
    with place.lock(), place.new("arrays") as folder:
        (folder / "one").write_text("first")
        assert not (place.entry / "arrays").exists()
    with place.lock(), place.new("arrays") as folder:
        (folder / "two").write_text("second")
        assert [path.name for path in (place.entry / "arrays").iterdir()] == ["one"]
    assert [path.name for path in (place.entry / "arrays").iterdir()] == ["two"]


def test_an_error_leaves_what_was_there(place: Place) -> None:
    with place.lock(), place.new("arrays") as folder:
        (folder / "one").write_text("first")
    with pytest.raises(ValueError), place.lock(), place.new("arrays") as folder:
        (folder / "two").write_text("second")
        raise ValueError
    assert [path.name for path in (place.entry / "arrays").iterdir()] == ["one"]
    assert not list(place.home.glob("tmp-*"))


def test_the_next_writer_clears_older_states_and_what_a_kill_left(place: Place) -> None:
    with place.lock(), place.new("arrays"):
        pass
    (place.home / "tmp-1-left").mkdir()
    newer = Place(place.source, "another state", "fer2013")
    with newer.lock():
        assert not place.entry.exists() and not (place.home / "tmp-1-left").exists()


def test_scratch_has_no_name(place: Place) -> None:
    with place.lock(), place.scratch() as file:
        file.write(b"x")
        assert [path.name for path in place.home.iterdir()] == ["lock"]


def test_a_refusal_of_the_disk_is_one_line(tmp_path: Path) -> None:
    said = "^cannot write the data cache .*: No space left on device; make room"
    with pytest.raises(DataError, match=said), cache.explain_write(tmp_path):
        raise OSError(28, "No space left on device")


@pytest.fixture
def users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The cache of a user who names none, in a home folder of its own."""
    monkeypatch.delenv("FER_JAX_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cache, "_said", set())
    return tmp_path / ".cache" / "fer_jax"


def test_a_folder_of_another_user_is_used_only_where_it_is_named(users_own: Path, monkeypatch) -> None:
    users_own.mkdir(parents=True)
    assert cache.root() == users_own
    monkeypatch.setattr(cache.os, "geteuid", lambda: users_own.stat().st_uid + 1)
    with pytest.raises(DataError, match=f"^the cache {users_own} belongs to another user: name .*FER_JAX_CACHE="):
        cache.root()
    monkeypatch.setenv("FER_JAX_CACHE", str(users_own))
    assert cache.root() == users_own


def test_a_users_cache_may_be_a_link_to_a_folder_of_the_same_user(users_own: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    users_own.parent.mkdir()
    users_own.symlink_to(tmp_path / "scratch")
    assert cache.root() == users_own


@pytest.mark.parametrize("chosen", ["", "~/cache"])
def test_without_a_home_folder_one_is_asked_for(users_own: Path, monkeypatch, chosen: str) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    monkeypatch.setenv("FER_JAX_CACHE", chosen)
    with pytest.raises(
        DataError, match="^there is no home folder to keep a cache in: name a folder with FER_JAX_CACHE=$"
    ):
        cache.root()


def test_what_can_be_done_without_a_cache_goes_on_and_says_so_once(users_own: Path, capsys, monkeypatch) -> None:
    assert cache.optional("compiled") == users_own / "compiled" and (users_own / "compiled").is_dir()
    assert capsys.readouterr().err == ""
    (users_own / "tuned").write_text("in the way")
    assert cache.optional("tuned") is None and cache.optional("tuned") is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "tuned: File exists; choose another with FER_JAX_CACHE=" in said
    monkeypatch.setattr(cache.os, "geteuid", lambda: users_own.stat().st_uid + 1)
    assert cache.optional("compiled") is None and cache.optional("tuned") is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "belongs to another user" in said


def test_a_cache_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    said = "^cannot read the data cache .*: Permission denied; choose another with FER_JAX_CACHE=$"
    with pytest.raises(DataError, match=said), cache.explain_write(tmp_path, "read"):
        raise PermissionError(13, "Permission denied")
