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
