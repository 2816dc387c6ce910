"""What people wrote about a run, in its directory."""

import pytest

from fer_jax.errors import RunError
from fer_jax.store import RunDirectory, bounds


def test_notes_are_read_as_they_were_written_and_never_through_a_link(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    assert directory.read_notes() == ""
    directory.write_notes("Ä 笑\n<b>")
    assert directory.read_notes() == "Ä 笑\n<b>" == (tmp_path / "run" / "notes.md").read_text(encoding="utf-8")
    directory.write_notes("x" * (bounds.MOST_NOTES_BYTES + 1))
    with pytest.raises(RunError, match=r"notes\.md: .*shorten it$"):
        directory.read_notes()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "run" / "notes.md").unlink()
    (tmp_path / "run" / "notes.md").symlink_to(victim)
    for act in (directory.read_notes, lambda: directory.write_notes("x")):
        with pytest.raises(RunError, match="is a link"):
            act()
    assert victim.read_text() == "precious"
