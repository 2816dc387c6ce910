"""Sizes of classes in words: every split, lines as wide as a terminal, long lists cut."""

from fer_jax.data import sizes

FER = {"angry": 3995, "disgust": 436, "fear": 4097, "happy": 7215, "neutral": 4965, "sad": 4830, "surprise": 3171}


def test_every_split_has_its_classes_with_their_sizes() -> None:
    counts = {"train": FER, "test": {"angry": 958, "disgust": 0}}
    whole = "train: angry 3,995, disgust 436, fear 4,097, happy 7,215, neutral 4,965, sad 4,830, surprise 3,171"
    assert sizes.lines(counts) == [whole, "test: angry 958, disgust 0"]
    assert sizes.lines(counts, 80) == [
        "train: angry 3,995, disgust 436, fear 4,097, happy 7,215, neutral 4,965,",
        "    sad 4,830, surprise 3,171",
        "test: angry 958, disgust 0",
    ]
    assert sizes.of_split({"angry": 958, "disgust": 0}) == "angry 958, disgust 0"


def test_names_that_end_in_digits_are_set_apart_from_their_sizes() -> None:
    assert sizes.lines({"train": {"0": 12, "class001": 3}}) == ["train: 0: 12, class001: 3"]


def test_of_many_classes_ten_are_named() -> None:
    counts = {f"c{number:03}": 5 + number for number in range(100)}
    words = sizes.of_split(counts)
    assert words.startswith("c000: 5, c001: 6, ") and words.endswith("c009: 14, and 90 more of 15 to 104")
    assert sizes.of_split(dict.fromkeys(counts, 7)).endswith("c009: 7, and 90 more of 7")
    assert sizes.of_split(dict.fromkeys(list(counts)[:20], 7)).endswith("c018: 7, c019: 7")


def test_long_and_odd_names_fit_their_lines() -> None:
    found = sizes.lines({"train": {"very  long " + "x" * 120: 1, "a\x1b[31m": 2, "恐れ": 3}}, 80)
    assert all(len(line) <= 80 and line.isprintable() for line in found) and found[-1].endswith("恐れ 3")


def test_what_is_left_out_is_counted_by_kind() -> None:
    skipped = {"count": 3, "kinds": {"unreadable picture": 2, "broken row": 1}, "items": []}
    about = {"skipped": skipped, "ignored": {"count": 4, "items": []}, "hidden": 1}
    assert sizes.left_out(about) == "2 unreadable pictures, 1 broken row, 4 other files, 1 hidden file"
    listed = {"unlisted": {"count": 2, "items": []}, "ignored": {"count": 1, "items": []}}
    assert sizes.left_out(listed) == "2 pictures not in data.labels, 1 other file"
    assert sizes.left_out({}) == sizes.left_out({"skipped": {"count": 0, "kinds": {}, "items": []}, "hidden": 0}) == ""
