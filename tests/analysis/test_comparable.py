"""What can be ranked against each other: only what was measured on the same images."""

from fer_jax.analysis import comparable


def test_only_the_same_pictures_compare():
    data = {
        "classes": ["happy", "sad"],
        "held_out": {"validation": "12ab", "test": "34cd"},
        "counts": {"train": {"happy": 9}},
    }
    key = comparable.held_out(data)
    assert comparable.held_out({**data, "counts": {"train": {"happy": 90}}}) == key
    others = [
        {**data, "held_out": {"validation": "56ef", "test": "34cd"}}, {**data, "held_out": {"validation": "12ab"}},
        {**data, "classes": ["happy", "fear"]}, {**data, "merged": {"sad": ["fear"]}},
    ]  # fmt: skip
    assert key not in [comparable.held_out(other) for other in others]
