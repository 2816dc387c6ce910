"""Every kind of head against the library it comes from; what is kept of it, and what is refused."""

import importlib
import sys

import numpy as np
import pytest
import scipy.special
import skops.io
import xgboost
from sklearn import ensemble, linear_model, neighbors, svm

from fer_jax import heads
from fer_jax.config import fields
from fer_jax.errors import RunError
from fer_jax.heads import Features, classifiers
from tests.heads.conftest import ALL_CASES, KEPT, KINDS, OTHER, WIDTH, K, make, train_of, values


def standardised(features, pictures):
    train = features.splits["train"].astype(np.float64)
    return (pictures - train.mean(axis=0)) / train.std(axis=0)


def reference(settings, features, seed, pictures):
    """The library's own estimator and its probabilities, written without anything of fer_jax."""
    own = {name.removeprefix("head."): value for name, value in settings.items()}
    x, y = train_of(features)
    if own["kind"] == "xgboost":
        names = ("max_depth", "gamma", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda")
        found = xgboost.XGBClassifier(
            n_estimators=own["rounds"], learning_rate=own["eta"], tree_method="hist", random_state=seed, n_jobs=1,
            objective="multi:softprob", **{name: own[name] for name in names},
        ).fit(x, y)  # fmt: skip
        return found, found.predict_proba(pictures)
    if own["kind"] == "forest":
        depth = None if own["tree_depth"] == 0 else own["tree_depth"]
        found = ensemble.RandomForestClassifier(n_estimators=own["trees"], max_depth=depth, random_state=seed).fit(x, y)
        return found, found.predict_proba(pictures)
    if own["kind"] == "logistic":
        found = linear_model.LogisticRegression(C=own["C"], max_iter=1000)
    elif own["kind"] == "svm":
        found = svm.LinearSVC(C=own["C"], dual="auto", max_iter=1000, random_state=seed)
    else:
        found = neighbors.KNeighborsClassifier(n_neighbors=own["neighbors"], weights=own["vote"])
    found.fit(standardised(features, x), y)
    asked = standardised(features, pictures)
    if own["kind"] == "svm":
        return found, scipy.special.softmax(found.decision_function(asked), axis=1)
    return found, found.predict_proba(asked)


def check_probabilities(found, rows, num_classes):
    assert found.shape == (rows, num_classes) and found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


# Probabilities and importances


@pytest.mark.parametrize("kind, changed", ALL_CASES, ids=str)
def test_probabilities_are_those_of_the_library_with_the_same_parameters(features, kind, changed):
    settings, asked = values(kind, **changed), features.splits["validation"]
    found = heads.fit(settings, features, 7).probabilities(asked)
    check_probabilities(found, len(asked), K)
    _, expected = reference(settings, features, 7, asked)
    # The logistic solver stops at a tolerance, and standardises in single precision.
    np.testing.assert_allclose(found, expected, atol=1e-3 if kind == "logistic" else 2e-5)
    if changed:
        plain = heads.fit(values(kind), features, 7).probabilities(asked)
        assert np.abs(plain - found).max() > 0.01


def test_the_cases_vary_every_field_of_every_kind():
    counts = {
        kind: {name for name, field in fields.FIELDS.items() if field.kind == "head" and field.has_effect(values(kind))}
        for kind in KINDS
    }
    # The first three choose what is fitted to what; the last has tests of its own.
    apart = {"head.kind", "head.layer", "head.weights", "head.stop_rounds"}
    varied = {kind: {f"head.{name}" for name in changes} for kind, changes in OTHER.items()}
    assert {kind: names - apart for kind, names in counts.items()} == varied


@pytest.mark.parametrize("kind", ["xgboost", "forest"])
def test_importances_are_the_shares_of_the_gain_that_the_library_reports(features, kind):
    settings = values(kind)
    found = heads.fit(settings, features, 3).importances
    model, _ = reference(settings, features, 3, features.splits["validation"])
    if kind == "xgboost":
        gains = model.get_booster().get_score(importance_type="total_gain")
        expected = np.array([gains.get(f"f{index}", 0.0) for index in range(WIDTH)])
        expected = expected / expected.sum()
    else:
        expected = model.feature_importances_
    assert found.shape == (WIDTH,) and found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_feature_that_no_split_uses_has_no_share(features):
    splits = {
        name: np.column_stack([array, np.zeros(len(array), np.float32)]) for name, array in features.splits.items()
    }
    wider = Features(splits, features.labels, K)
    found = heads.fit(values("xgboost"), wider, 0).importances
    assert found.shape == (WIDTH + 1,) and found[-1] == 0 and found[:-1].min() > 0


@pytest.mark.parametrize("kind", ["logistic", "svm", "neighbors"])
def test_kinds_without_trees_have_neither_importances_nor_rounds(features, kind):
    head = heads.fit(values(kind), features, 0)
    assert head.importances is None and head.rounds is None


@pytest.mark.parametrize("kind, changed", [("xgboost", {"gamma": 1e9}), ("forest", {})])
def test_trees_without_a_split_have_no_importances(features, kind, changed):
    constant = {name: np.ones_like(array) for name, array in features.splits.items()}
    some = features if changed else Features(constant, features.labels, K)
    assert heads.fit(values(kind, **changed), some, 0).importances is None


# Classes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("only", [(0, 2, 3), (1, 3)], ids=str)
def test_a_class_without_training_images_keeps_its_column(kind, only):
    features = make(only=np.array(only))
    found = heads.fit(values(kind, rounds=60), features, 0).probabilities(features.splits["validation"])
    check_probabilities(found, 60, K)
    absent = [label for label in range(K) if label not in only]
    assert found[:, absent].max() < 0.01
    present = np.isin(features.labels["validation"], only)
    right = found.argmax(axis=1) == features.labels["validation"]
    assert right[present].mean() > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes_give_two_columns(kind):
    features = make(num_classes=2)
    found = heads.fit(values(kind, rounds=20), features, 0).probabilities(features.splits["validation"])
    check_probabilities(found, 60, 2)
    assert (found.argmax(axis=1) == features.labels["validation"]).mean() > 0.6


def test_margins_of_a_binary_svm_are_those_of_both_sides():
    features = make(num_classes=2)
    asked = features.splits["validation"]
    found = heads.fit(values("svm"), features, 5).probabilities(asked)
    machine = svm.LinearSVC(C=1.0, dual="auto", max_iter=1000, random_state=5)
    x, y = train_of(features)
    margin = machine.fit(standardised(features, x), y).decision_function(standardised(features, asked))
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-2 * margin)), atol=1e-5)


def test_classes_of_an_svm_are_ranked_as_by_its_decision_function(features):
    asked = features.splits["validation"]
    settings = values("svm")
    found = heads.fit(settings, features, 0).probabilities(asked)
    machine, _ = reference(settings, features, 0, asked)
    margins = machine.decision_function(standardised(features, asked))
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(margins, axis=1))


# Boosting rounds


def validation_losses(features, rounds, eta):
    """mlogloss of the validation split after each round, by XGBoost on its own."""
    history = {}
    xgboost.train(
        {"objective": "multi:softprob", "num_class": K, "eta": eta, "nthread": 1, "seed": 0, "tree_method": "hist"},
        xgboost.QuantileDMatrix(*train_of(features), nthread=1),
        rounds,
        evals=[(xgboost.DMatrix(features.splits["validation"], features.labels["validation"]), "validation")],
        evals_result=history,
        verbose_eval=False,
    )
    return history["validation"]["mlogloss"]


@pytest.mark.parametrize("patience", [1, 4])
def test_early_stopping_keeps_the_rounds_up_to_the_lowest_validation_loss(features, patience):
    losses = validation_losses(features, 40, 0.6)
    stopped = next(i for i in range(40) if i - int(np.argmin(losses[: i + 1])) >= patience)
    best = int(np.argmin(losses[: stopped + 1])) + 1
    assert 1 < best < 40 - patience
    early = heads.fit(values("xgboost", rounds=40, eta=0.6, stop_rounds=patience), features, 0)
    short = heads.fit(values("xgboost", rounds=best, eta=0.6), features, 0)
    assert early.rounds == short.rounds == best
    asked = features.splits["validation"]
    np.testing.assert_array_equal(early.probabilities(asked), short.probabilities(asked))
    assert heads.load(values("xgboost"), early.to_bytes(), K).rounds == best


def test_a_patience_longer_than_the_fit_still_keeps_the_best_round(features):
    losses = validation_losses(features, 40, 0.6)
    head = heads.fit(values("xgboost", rounds=40, eta=0.6, stop_rounds=1000), features, 0)
    assert head.rounds == int(np.argmin(losses)) + 1 < 40


def test_without_early_stopping_every_round_is_kept(features):
    assert heads.fit(values("xgboost", rounds=40, eta=0.6), features, 0).rounds == 40


@pytest.mark.parametrize("patience", [0, 50])
@pytest.mark.parametrize("after", [1, 5])
def test_a_request_to_stop_ends_boosting_after_the_round(features, after, patience):
    asked = []

    def stop():
        asked.append(True)
        return len(asked) == after

    head = heads.fit(values("xgboost", rounds=10_000, stop_rounds=patience), features, 0, stop)
    assert len(asked) == after
    assert head.rounds <= after if patience else head.rounds == after


# Repeatability


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_and_threads_give_the_same_bits(kind):
    drawn = {"subsample": 0.5, "colsample_bytree": 0.5}
    first, second = (heads.fit(values(kind, **drawn), make(), 11) for _ in range(2))
    asked = make(seed=1).splits["validation"]
    np.testing.assert_array_equal(first.probabilities(asked), second.probabilities(asked))
    if kind == "xgboost":
        assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize(
    "kind, changed", [("xgboost", {"subsample": 0.5}), ("xgboost", {"colsample_bytree": 0.5}), ("forest", {})], ids=str
)
def test_another_seed_draws_other_rows_or_columns(features, kind, changed):
    asked = features.splits["validation"]
    first, second = (heads.fit(values(kind, **changed), features, seed).probabilities(asked) for seed in (0, 1))
    assert np.abs(first - second).max() > 1e-3


def test_nothing_is_drawn_where_every_row_and_column_enters_every_tree(features):
    assert heads.fit(values("xgboost"), features, 0).to_bytes() == heads.fit(values("xgboost"), features, 1).to_bytes()


# Chunks


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_in_chunks_are_those_of_all_rows_at_once(features, kind, monkeypatch):
    head, asked = heads.fit(values(kind), features, 0), features.splits["validation"]
    whole = head.probabilities(asked)
    monkeypatch.setattr(classifiers, "CHUNK", 7)  # 60 rows: the last chunk has 4
    np.testing.assert_allclose(head.probabilities(asked), whole, atol=1e-6)
    monkeypatch.setattr(classifiers, "CHUNK", 20)
    np.testing.assert_allclose(head.probabilities(asked), whole, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_gives_no_row(features, kind):
    found = heads.fit(values(kind), features, 0).probabilities(features.splits["validation"][:0])
    assert found.shape == (0, K) and found.dtype == np.float32


# Kept and read again


@pytest.fixture(scope="module")
def fitted(features):
    """kind -> (its settings, a head, what it is kept as)."""
    found = {}
    for kind in KEPT:
        head = heads.fit(values(kind), features, 0)
        found[kind] = values(kind), head, head.to_bytes()
    return found


@pytest.mark.parametrize("kind", KEPT)
def test_a_head_that_was_kept_is_the_same_head(features, fitted, kind):
    settings, head, content = fitted[kind]
    again = heads.load(settings, content, K)
    asked = features.splits["validation"]
    np.testing.assert_array_equal(again.probabilities(asked), head.probabilities(asked))
    assert again.rounds == head.rounds
    if kind in ("xgboost", "forest"):
        np.testing.assert_array_equal(again.importances, head.importances)


def test_the_file_of_a_boosted_head_is_one_that_xgboost_reads(features, fitted, tmp_path):
    settings, head, content = fitted["xgboost"]
    path = tmp_path / f"head.{heads.suffix(settings)}"
    path.write_bytes(content)
    asked = features.splits["validation"]
    found = xgboost.Booster(model_file=path).predict(xgboost.DMatrix(asked))
    np.testing.assert_allclose(found, head.probabilities(asked), atol=1e-6)


def test_nearest_neighbours_alone_are_not_kept():
    assert {kind: heads.kept(values(kind)) for kind in KINDS} == {kind: kind in KEPT for kind in KINDS}
    suffixes = {kind: heads.suffix(values(kind)) for kind in KINDS}
    assert suffixes == {kind: "ubj" if kind == "xgboost" else "skops" for kind in KINDS}


def refusal(settings, content):
    with pytest.raises(RunError) as caught:
        heads.load(settings, content, K)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"a {settings['head.kind']} head cannot be read (")
    return str(caught.value)


@pytest.mark.parametrize("kind", KEPT)
def test_damaged_bytes_are_refused_in_one_line(fitted, kind):
    """Given to XGBoost, several of these end the process."""
    settings, _, content = fitted[kind]
    for damaged in (b"", b"{", b"\0" * 100, content[:10], content[: len(content) // 2], content[:-3], content[3:]):
        refusal(settings, damaged)


@pytest.mark.parametrize("kind", KEPT)
def test_no_bit_of_a_head_changes_unnoticed(fitted, kind):
    settings, _, content = fitted[kind]
    assert heads.damage(settings, content) == ""
    for place in (0, 1, *np.random.default_rng(0).integers(0, len(content), 200), len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        assert "its checksum differs" in refusal(settings, bytes(damaged))
        assert heads.damage(settings, bytes(damaged)) == "its checksum differs"


def test_a_head_of_scikit_learn_that_was_kept_before_there_was_a_seal_is_read(features, fitted):
    settings, head, content = fitted["forest"]
    old = skops.io.dumps(head.pipeline)
    assert content[: -classifiers.SEAL_BYTES][:4] == old[:4] and len(content) == len(old) + classifiers.SEAL_BYTES
    assert heads.damage(settings, old) == ""
    asked = features.splits["validation"]
    np.testing.assert_array_equal(heads.load(settings, old, K).probabilities(asked), head.probabilities(asked))
    for damaged in (old[: len(old) // 2], old[:1000] + b"?" * 50 + old[1050:]):
        refusal(settings, damaged)
        assert heads.damage(settings, damaged) == "its checksum differs"


def test_the_file_of_a_head_of_scikit_learn_is_one_that_skops_reads(fitted, tmp_path):
    path = tmp_path / "head.skops"
    path.write_bytes(fitted["logistic"][2])
    found = skops.io.load(path, trusted=classifiers.TRUSTED)
    np.testing.assert_array_equal(found[-1].coef_, fitted["logistic"][1].pipeline[-1].coef_)


def test_a_head_of_another_kind_is_refused(fitted):
    for asked, kept in (("xgboost", "forest"), ("forest", "xgboost")):
        refusal(fitted[asked][0], fitted[kept][2])


@pytest.mark.parametrize(
    "other", [[1, 2], {"a": 1}, linear_model.LogisticRegression()], ids=["list", "dict", "estimator"]
)
def test_a_harmless_object_that_is_no_head_is_refused(other):
    refusal(values("logistic"), skops.io.dumps(other))


def test_an_untrusted_type_is_refused_and_nothing_of_it_runs(fitted, tmp_path, monkeypatch):
    module, ran = tmp_path / "some_evil_module.py", tmp_path / "ran"
    module.write_text("class Evil:\n    def __init__(self):\n        self.field = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    pipeline = skops.io.loads(fitted["logistic"][2])
    pipeline.steps.insert(0, ("evil", importlib.import_module("some_evil_module").Evil()))
    content = skops.io.dumps(pipeline)

    def forget():
        importlib.invalidate_caches()
        sys.modules.pop("some_evil_module", None)

    forget()
    module.write_text(f"open({str(ran)!r}, 'w').close()  # at import\nclass Evil:\n    pass\n")
    assert "some_evil_module.Evil" in refusal(values("logistic"), content)
    assert not ran.exists() and "some_evil_module" not in sys.modules
    skops.io.loads(content, trusted=["some_evil_module.Evil"])
    assert ran.exists()  # it would have run
    forget()


# Packages


def test_a_missing_package_is_named_as_pip_knows_it(monkeypatch):
    assert [heads.missing_package(kind) for kind in ("none", *KINDS)] == [""] * 6
    monkeypatch.setattr(classifiers.importlib.util, "find_spec", lambda name: None)
    found = {kind: heads.missing_package(kind) for kind in ("none", *KINDS)}
    assert found == {"none": "", "xgboost": "xgboost-cpu", **dict.fromkeys(KINDS[1:], "skops")}
