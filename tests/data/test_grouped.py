"""Groups in splits: never parted, classes near their shares, and counted where a source parts
them.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

from fer_jax.config.values import default_config
from fer_jax.data import grouped, load, remarks, splits
from fer_jax.data.balance import balance
from fer_jax.errors import DataError

CLASSES = tuple("abcdefg")
STRATIFIED = "stratified_80_10_10"
EIGHTHS = ("kaggle_eighth", "kaggle_eighth_mixed")
NO_USAGE = np.full(981, -1)


def frames(seed):
    """Labels and persons of 981 frames as CK+48 has them: three of each sequence, 118 persons."""
    sequences = (45, 18, 59, 25, 69, 28, 83)
    persons = [np.random.default_rng([seed, at]).choice(118, each, False) for at, each in enumerate(sequences)]
    return np.repeat(np.repeat(np.arange(7), sequences), 3), np.repeat(np.concatenate(persons), 3)


def distance(labels, parts, share):
    """How far classes are from their share in each part: mean square, relative to the share."""
    wanted = share * np.bincount(labels, minlength=7)
    return np.mean([((np.bincount(labels[rows], minlength=7) / wanted - 1) ** 2).mean() for rows in parts])


def parted(groups, parts):
    """Whether a group has images in two parts."""
    of = [set(groups[rows].tolist()) for rows in parts]
    return sum(map(len, of)) > len(set().union(*of))


some = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=1, max_size=200)


@given(some, st.sampled_from(("stratified_80_10_10", "stratified_70_20_10")), st.integers(0, 2**31 - 1))
def test_stratified_splits_part_no_group_and_lose_no_image(images, choice, seed):
    labels, groups = np.array(images).T
    usage = np.full(len(labels), -1)
    rows = splits.assign(choice, labels, usage, CLASSES[:3], seed, groups=groups)
    again = splits.assign(choice, labels, usage, CLASSES[:3], seed, groups=groups * 7 + 3)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(labels)))
    assert not parted(groups, rows.values())
    assert all((rows[name] == again[name]).all() for name in rows)  # whatever groups are called


@given(some, st.sampled_from(EIGHTHS), st.integers(0, 2**31 - 1))
def test_an_eighth_parts_no_group_of_the_training_images(images, choice, seed):
    labels, groups = np.array(images).T
    labels, groups = np.append(labels, 0), np.append(groups, 0)
    usage = np.append(np.arange(len(images)) % 4 // 3, 1)  # three train, one is given as validation
    rows = splits.assign(choice, labels, usage, CLASSES[:3], seed, groups=groups)
    assert rows["validation"].tolist() == np.flatnonzero(usage == 1).tolist()
    assert sorted([*rows["train"], *rows["test"]]) == np.flatnonzero(usage == 0).tolist()
    assert not parted(groups, [rows["train"], rows["test"]])


@pytest.mark.parametrize("choice", EIGHTHS)
def test_an_eighth_of_persons_is_near_an_eighth_of_the_images(choice):
    labels, persons = frames(0)
    rows = splits.assign(choice, labels, np.arange(981) // 900, CLASSES, 0, groups=persons)
    assert len(rows["test"]) == pytest.approx(900 / 8, abs=3) and not parted(persons, [rows["train"], rows["test"]])


@settings(max_examples=40)
@given(some, st.integers(2, 6), st.integers(0, 2**31 - 1))
def test_folds_part_no_group_and_validate_each_but_once(images, folds, seed):
    labels, groups = np.array(images).T
    usage = np.random.default_rng(seed).integers(-1, 3, len(labels))
    pool = np.flatnonzero(usage != 2)
    found = [splits.assign("kfold", labels, usage, CLASSES[:3], seed, folds, fold, groups) for fold in range(folds)]
    for rows in found:
        assert sorted([*rows["train"], *rows["validation"]]) == pool.tolist()
        assert not parted(groups, [rows["train"], rows["validation"]])
    held_out = np.concatenate([rows["validation"] for rows in found]).tolist()
    assert len(set(held_out)) == len(held_out)
    # Who belongs to others validates once; only single images may be left over.
    left = np.setdiff1d(pool, held_out)
    assert (np.bincount(groups[pool])[groups[left]] == 1).all()


@pytest.mark.parametrize("choice", [STRATIFIED, "stratified_70_20_10", "kfold"])
def test_images_that_stand_for_themselves_are_split_as_without_groups(choice):
    labels = np.arange(300) % 3
    usage = np.full(300, -1)
    plain = splits.assign(choice, labels, usage, CLASSES[:3], 4)
    alone = splits.assign(choice, labels, usage, CLASSES[:3], 4, groups=grouped.numbers([""] * 300))
    assert all((plain[name] == alone[name]).all() for name in plain)


def test_classes_of_folds_are_nearer_to_their_shares_than_scikit_learns():
    ours, theirs = [], []
    for seed in range(5):
        labels, persons = frames(seed)
        folds = [splits.assign("kfold", labels, NO_USAGE, CLASSES, seed, 5, fold, persons) for fold in range(5)]
        reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(labels, labels, persons)
        ours.append(distance(labels, [rows["validation"] for rows in folds], 0.2))
        theirs.append(distance(labels, [held_out for _, held_out in reference], 0.2))
    assert np.mean(ours) < np.mean(theirs) < 0.05


def test_every_class_of_frames_is_tested_and_near_its_share():
    ours, theirs = [], []
    for seed in range(5):
        labels, persons = frames(seed)
        rows = splits.assign(STRATIFIED, labels, NO_USAGE, CLASSES, seed, groups=persons)
        assert all((np.bincount(labels[part], minlength=7) > 0).all() for part in rows.values())
        assert not parted(persons, rows.values())
        ours.append(distance(labels, [rows["test"]], 0.1))
        _, held_out = next(GroupShuffleSplit(1, test_size=0.1, random_state=seed).split(labels, labels, persons))
        theirs.append(distance(labels, [held_out], 0.1))
    assert np.mean(ours) < np.mean(theirs) / 5


def test_another_seed_tests_other_persons():
    labels, persons = frames(0)
    found = [splits.assign(STRATIFIED, labels, NO_USAGE, CLASSES, seed, groups=persons)["test"] for seed in range(30)]
    tested = [set(persons[rows].tolist()) for rows in found]
    assert tested[0] != tested[1] and len(set().union(*tested)) > 100


def test_a_class_of_three_groups_is_in_every_split():
    labels = np.repeat([0, 1], [9, 90])
    groups = np.repeat(np.arange(33), 3)
    rows = splits.assign(STRATIFIED, labels, np.full(99, -1), CLASSES[:2], 0, groups=groups)
    assert [np.bincount(labels[rows[name]]).tolist()[0] for name in splits.NAMES] == [3, 3, 3]


def test_single_images_make_up_for_what_groups_miss():
    labels = np.zeros(100, int)
    groups = np.concatenate([np.repeat(np.arange(6), 10), np.arange(100, 140)])
    rows = splits.assign(STRATIFIED, labels, np.full(100, -1), CLASSES[:1], 1, groups=groups)
    assert {name: len(part) for name, part in rows.items()} == {"train": 80, "validation": 10, "test": 10}


def test_balancing_parts_no_group():
    labels, persons = frames(2)
    rows = splits.assign(STRATIFIED, labels, NO_USAGE, CLASSES, 2, groups=persons)
    for kind in ("undersample", "oversample"):
        equal = {name: balance(kind, part, labels, CLASSES, 2, name) for name, part in rows.items()}
        assert not parted(persons, equal.values())


def block(path, **changes):
    made = default_config().data
    made.name, made.path, made.image_size = "folder", str(path), 12
    for name, value in changes.items():
        made[name] = value
    return made


@pytest.fixture
def persons(make, tmp_path):
    """Twelve persons, three frames of each of two classes, and one picture of nobody."""
    members = {
        f"{label}/S{person:03}_001_{frame:08}.png": make.jpeg(100 * person + 10 * at + frame)
        for at, label in enumerate(("happy", "sad"))
        for person in range(12)
        for frame in range(3)
    }
    return make.folder(tmp_path / "CK", members | {"sad/nobody.png": make.jpeg(9000)})


def test_a_stratified_split_says_who_is_known_or_suggests_the_field(persons):
    plain = load(block(persons, split=STRATIFIED))
    assert "groups" not in plain.provenance
    (line,) = remarks.remarks(plain.provenance)
    assert line.startswith("note: 99% of names look like S<person>_<sequence>_<frame>: are these 12 persons")
    data = load(block(persons, split=STRATIFIED, group=r"(S\d+)_"))
    size = len(data.test), len(data.validation)
    assert data.provenance["groups"] == {
        "rule": r"(S\d+)_", "count": 12, "images": 73, "alone": 1,
        "shared": {"validation": {"shared": 0, "of": size[1]}, "test": {"shared": 0, "of": size[0]}},
    }  # fmt: skip
    assert remarks.remarks(data.provenance) == [
        rf"groups: 12 of 72 images (data.group = (S\d+)_), and 1 image in none; "
        f"0 of {size[0]} test and 0 of {size[1]} validation images share a group with training"
    ]
    folds = [load(block(persons, split="kfold", fold=fold, group=r"(S\d+)_")).provenance for fold in range(5)]
    known = [fold["groups"]["shared"]["validation"] for fold in folds]
    assert sorted(one["of"] for one in known) == [12, 12, 12, 18, 18] and not any(one["shared"] for one in known)
    # Cached: the same from the arrays, and at another size from the records.
    assert load(block(persons, split=STRATIFIED, group=r"(S\d+)_")).checksum == data.checksum
    other = load(block(persons, split=STRATIFIED, group=r"(S\d+)_", image_size=16))
    assert other.provenance["held_out"] == data.provenance["held_out"]


def test_given_splits_stay_and_what_they_part_is_counted(make, tmp_path):
    """Of person p, frame f lies in split f: what is tested and validated is of persons known."""
    members = {
        f"{split}/{label}/p{person}_{label}.png": make.jpeg(100 * person + 10 * at + code)
        for at, label in enumerate(("happy", "sad"))
        for code, split in enumerate(("train", "val", "test"))
        for person in range(4)
        if (person, split) != (3, "train")
    }
    path = make.folder(tmp_path / "faces", members)
    plain, data = load(block(path)), load(block(path, group=r"/(p\d)_"))
    assert plain.checksum == data.checksum
    assert data.provenance["groups"]["shared"] == {
        "validation": {"shared": 6, "of": 8}, "test": {"shared": 6, "of": 8}
    }  # fmt: skip
    assert remarks.sharing(data.provenance, "test").startswith("6 of the 8 test images (75.0%) share a group")


def test_groups_that_leave_a_class_out_of_a_split_are_refused_by_name(make, tmp_path):
    members = {f"{label}/{n}_{n}.png": make.jpeg(10 * at + n) for at, label in enumerate("cd") for n in range(9)}
    members |= {f"cat/100_{n}.png": make.jpeg(500 + n) for n in range(9)}
    path = make.folder(tmp_path / "pets", members)
    refused = r"class cat has no pictures in the validation split \(data.split = \w+, data.group = /\(\\d\+\)_\)"
    with pytest.raises(DataError, match=refused):
        load(block(path, split=STRATIFIED, group=r"/(\d+)_"))
    with pytest.raises(
        DataError, match="the validation split holds no pictures .* use another data.split or data.group"
    ):
        load(block(path, split=STRATIFIED, group="/"))


def test_one_group_of_a_list_or_pattern_is_named_where_it_empties_a_split(make, tmp_path):
    members = {f"{label}/KA_{n}.png": make.jpeg(10 * at + n) for at, label in enumerate("cd") for n in range(9)}
    path = make.folder(tmp_path / "one", members)
    refused = (
        r"validation split holds no pictures \(data.split = \w+, which parts none of 1 group\): .* or other groups"
    )
    with pytest.raises(DataError, match=refused):
        load(block(path, split=STRATIFIED, pattern="(?P<group>[A-Z]{2})_"))
