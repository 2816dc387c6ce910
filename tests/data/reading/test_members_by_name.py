"""Which member a list means: by path, by folders that are shared, or by its own name."""

import pytest

from fer_jax.data.reading.containers import Member
from fer_jax.data.reading.members_by_name import Ambiguous, MembersByName


def found(members: list[str], listed: list[str]) -> list[str | None]:
    by_name = MembersByName([Member(name, 1, "file") for name in members], listed)
    answers: list[str | None] = []
    for name in listed:
        try:
            member = by_name.find(name)
        except Ambiguous as error:
            answers.append(f"! {error}")
        else:
            answers.append(member and member.name)
    return answers


@pytest.mark.parametrize(
    ("members", "listed", "wanted"),
    [
        (["a/1.jpg", "b/1.jpg"], ["b/1.jpg", "./a/1.jpg"], ["b/1.jpg", "a/1.jpg"]),
        (["x/a/1.jpg", "x/b/1.jpg"], ["a/1.jpg", "b/1.jpg"], ["x/a/1.jpg", "x/b/1.jpg"]),
        (["a/1.jpg", "b/1.jpg"], ["/home/me/set/a/1.jpg", "C:\\set\\b\\1.jpg"], ["a/1.jpg", "b/1.jpg"]),
        (["new/a/1.jpg", "new/b/1.jpg"], ["old/a/1.jpg", "old/b/1.jpg"], ["new/a/1.jpg", "new/b/1.jpg"]),
        (["deep/down/1.jpg"], ["1.jpg", "2.jpg"], ["deep/down/1.jpg", None]),
        (["a/1.JPG"], ["1.jpg"], ["a/1.JPG"]),
        (["a/1.png"], ["1"], ["a/1.png"]),
        (["i/train_00001_aligned.jpg"], ["train_00001.jpg"], ["i/train_00001_aligned.jpg"]),
        # Another image of that name is not the one that is missing.
        (["test/1.jpg"], ["train/1.jpg", "test/1.jpg"], [None, "test/1.jpg"]),
        (["a/1.jpg", "b/1.jpg"], ["1.jpg"], ["! may be a/1.jpg or b/1.jpg"]),
        (["a/x/1.jpg", "b/x/1.jpg"], ["x/1.jpg"], ["! may be a/x/1.jpg or b/x/1.jpg"]),
        (["a/x/1.jpg", "b/x/1.jpg"], ["c/b/x/1.jpg"], ["b/x/1.jpg"]),
    ],
)
def test_members_that_a_list_means(members: list[str], listed: list[str], wanted: list[str | None]) -> None:
    assert found(members, listed) == wanted
