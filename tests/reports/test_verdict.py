"""What the report says in words, and what it stands on."""

import numpy as np

from fer_jax.analysis import statistics
from fer_jax.analysis.answers import Answers
from fer_jax.analysis.ranking import rank_points
from fer_jax.reports import basis, verdict

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
RATES = {"train.learning_rate": (1e-4, 1e-3, 1e-2)}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def words(found):
    return " ".join(verdict.sentences(found))


def test_best_point_is_the_best_mean_and_not_the_best_trial(made):
    run = made(RATES, repeats=2, accidents=False)
    run.trials["val_accuracy"] = [0.50, 0.54, 0.10, 0.90, 0.40, 0.41]
    found = gather(run)
    assert found.points.loc[found.ranked.index[0], "train.learning_rate"] == 1e-4
    assert found.ranked["rank"].tolist() == [1, 2, 3]
    assert verdict.metric_text(found, int(found.ranked.index[0]), "val_accuracy").startswith("0.520 ± 0.028 (n")


def test_one_seed_is_said_and_gives_no_spread(made):
    text = words(gather(made(RATES)))
    assert "One seed: no spread can be given." in text and "±" not in text and "interval" not in text


def test_repeats_give_students_interval(made):
    found = gather(made(RATES, repeats=4, accidents=False))
    values = found.trials.loc[found.trials["point"] == found.ranked.index[0], "val_accuracy"]
    low, high = statistics.interval(values.mean(), values.std(ddof=1) / 2, 4)
    assert f"{low:.3f} to {high:.3f}" in words(found) and "no spread" not in words(found)


def test_who_wins_a_search_was_chosen_among_all_that_began(made):
    run = made(RATES, repeats=2, accidents=False)
    assert "Being the best of 3, its figure is somewhat lucky." in words(gather(run))
    lost = run.trials["train.learning_rate"] == 1e-4
    run.trials.loc[lost, ["status", "val_accuracy"]] = ["pruned", np.nan]
    text = words(gather(run))
    assert "other point trained to the end is that close to the best. Being the best of 3 points, 1 of which" in text
    run.trials.loc[run.trials["train.learning_rate"] == 1e-3, ["status", "val_accuracy"]] = ["pruned", np.nan]
    assert "Being the best of 3 points, 2 of which left at a rung, its figure" in words(gather(run))


def test_a_mean_names_who_was_left_out(made):
    run = made({}, repeats=4)
    run.trials.loc[1, ["status", "val_accuracy"]] = ["diverged", np.nan]
    text = words(gather(run))
    assert "mean over 3 of 4 trials, 1 diverged left out" in text and "3 of 4 trials done; 1 diverged" in text


def test_distance_from_the_majority_share(made):
    run = made({}, repeats=2)
    run.trials["val_accuracy"] = 0.75
    share = run.record["data"]["majority_share"]
    assert f"{0.75 - share:.3f} above the majority share" in words(gather(run))
    run.trials["val_accuracy"] = share
    assert "nothing has been learnt" in words(gather(run))


def test_the_kaggle_split_is_labelled(made):
    found = gather(made(RATES, split="kaggle"))
    assert "Selected on the images it reports" in words(found) and "test split" not in words(found)
    assert found.scope.endswith("one seed, selected on the images it reports")


def test_an_unfinished_run_is_provisional(made):
    assert "provisional" in words(gather(made(RATES, repeats=2, done=0.5)))
    assert "No trial is done yet" in words(gather(made(RATES, done=0)))


def test_facts_survive_a_record_without_its_optional_entries(made):
    run = made(RATES)
    found = rank_points({"config": {}, "data": {}, "swept": run.record["swept"]}, run.trials, run.curves, "bare")
    facts = dict(basis.facts(found))
    assert facts["Hardware"] == facts["Versions"] == facts["Classes"] == "unknown" and words(found)
    full = dict(basis.facts(gather(run)))
    assert full["Classes of train"].startswith("angry ") and "Left out" not in full
    run.record["data"]["hidden"] = 2
    assert dict(basis.facts(gather(run)))["Left out"] == "2 hidden files"
    assert full["Images"] == "2,000 train, 500 validation, 500 test" and "2 × cpu" in full["Hardware"]
    assert "5 min 12 s" in full["Time"] and "9,610 training images/s" in full["Time"]
    assert full["Command"] == run.record["command"] and "jax 0.10.2" in full["Versions"]


def test_every_data_set_is_listed_with_its_classes_and_images(made):
    run = made({"data.fraction": (0.5, 1.0)})
    run.record["other_data"] = [
        {"label": "half of it", "classes": ["happy", "sad"], "counts": {"train": {"happy": 7, "sad": 5}}}
    ]
    facts = dict(basis.facts(gather(run)))
    assert facts["Data set 1"].startswith(
        "synthetic faces, official split; images: 2,000 train, 500 validation, 500 test; classes: 7: angry, "
    )
    assert facts["Data set 2"] == "half of it; images: 12 train; classes: 2: happy, sad; train: happy 7, sad 5"
    assert "Classes" not in facts


def test_losses_of_several_kinds_are_said_to_rank_nothing(made):
    assert "so none is ranked by it" in words(gather(made({"loss.focal_gamma": (0.0, 2.0)})))
    assert "ranked by it" not in words(gather(made({"loss.class_weight": (0.0, 1.0)})))


def test_leaked_pictures_are_named_with_the_accuracy_without_them(made):
    run = made({}, repeats=2, accidents=False)
    run.trials["test_accuracy"], run.trials["test_accuracy_clean"] = [0.6, 0.62], [0.55, 0.57]
    run.record["data"]["counts"]["test"] = {"happy": 100, "sad": 100}
    assert "exact copy" not in words(gather(run))
    run.record["data"]["leaked"] = {"validation": 3, "test": 17}
    text = words(gather(run))
    assert "17 of the 200 test images (8.5%) have an exact copy among those trained or validated on, and 3 of" in text
    assert "Without them its test accuracy is 0.560 ± 0.014 (n = 2)." in text.replace("\N{NO-BREAK SPACE}", " ")
    run.trials["test_accuracy_clean"] = np.nan
    assert "Its accuracy without them was not recorded" in words(gather(run))


def answering(run, *given):
    """The run with what each trial answers on its validation images, as many as it has."""
    counts = run.record["data"]["counts"]["validation"]
    labels = np.repeat(np.arange(len(CLASSES)), list(counts.values()))
    found = {
        id: Answers(np.where(np.arange(len(labels)) < one, labels, 3), labels, CLASSES, "these")
        for id, one in zip(run.trials["id"], given, strict=True)
    }
    accuracies = [float(one.right.mean()) for one in found.values()]
    run.trials["val_accuracy"] = accuracies
    return rank_points(run.record, run.trials, run.curves, "a run", found), accuracies


def test_one_seed_tells_networks_apart_by_their_pictures_and_says_what_that_is_not(made):
    found, _ = answering(made(RATES), 480, 478, 100)
    text = words(found)
    assert (
        "Its network can be told apart from those of 1 of 2 other points by their answers to the 500 validation "
        "pictures (McNemar's test, mid-p, 5 %, Holm), not from 1: learning rate 1e-3." in text
    )
    assert "compares networks as trained once, not settings: another seed may turn it round" in text
    assert "sweep.repeats" in text and "cannot be told apart:" not in text


def test_one_seed_without_answers_or_by_loss_says_why_nothing_is_told_apart(made):
    assert "Points cannot be told apart: no predictions of these networks are stored." in words(gather(made(RATES)))
    by_loss = words(gather(made(RATES, train__select="val_loss")))
    assert "Points cannot be told apart: McNemar's test is of accuracies, and val_loss is what ranks them." in by_loss
    assert "told apart" not in words(gather(made({})))


def test_exact_ties_are_best_together(made):
    run = made({"train.l2": tuple(10.0**-e for e in range(6))}, accidents=False)
    run.trials["val_accuracy"], run.trials["val_loss"] = [0.4] * 5 + [0.3], [1.0, 0.9, 1.0, 1.0, 1.0, 0.1]
    found = gather(run)
    text = words(found)
    assert verdict.headline(found) == (
        "5 of 6 points are best together by mean validation accuracy; shown: the one with the lowest validation loss"
    )
    assert "5 points have the same mean validation accuracy (0.4000): L2 penalty 1e-1; " in text
    assert " and 2 more. Shown is the one with the lowest validation loss" in text and "The best point" not in text
    alone = gather(made(RATES))
    assert verdict.headline(alone) == "Best point of 3, by mean validation accuracy"
    assert "same mean" not in words(alone)


def test_dead_networks_are_named_and_so_is_a_dead_winner(made):
    found, _ = answering(made(RATES), 480, 0, 0)
    assert "2 of 3 trials are dead networks: they answer “happy” to every validation picture." in words(found)
    text = words(answering(made(RATES), 0, 0, 0)[0])
    assert "All 3 trials are dead networks" in text and "among them that of the point shown" in text
    assert "dead" not in words(answering(made(RATES), 480, 400, 300)[0])


def test_a_test_accuracy_that_is_not_clear_of_the_majority_share_is_said(made):
    run = made({})
    run.trials["val_accuracy"] = 0.4
    share = run.record["data"]["counts"]["test"]["happy"] / 500
    # Two standard errors of a quarter of 500 pictures: 2 sqrt(.25 * .75 / 500) = .039.
    for accuracy, said in {
        share - 0.05: "0.050 below the majority share of the test split (0.250, always answering “happy”): on new",
        share - 0.014: "0.014 below the majority share of the test split (0.250, always answering “happy”), within two",
        share: "That is the majority share of the test split (0.250, always answering “happy”): it does not show that",
        share + 0.03: "0.030 above the majority share of the test split (0.250, always answering “happy”), within two",
    }.items():
        run.trials["test_accuracy"] = accuracy
        assert said in words(gather(run)), accuracy
    run.trials["test_accuracy"] = share + 0.05
    assert "of the test split" not in words(gather(run))
    del run.record["data"]["counts"]["test"]
    run.trials["test_accuracy"] = 0.1
    assert "of the test split (" not in words(gather(run))


def test_a_lead_of_a_few_pictures_over_the_majority_share_may_be_luck(made):
    run = made({})
    run.trials["val_accuracy"] = 0.27
    assert "within two standard errors of an accuracy on 500 pictures: it may be luck" in words(gather(run))
    run.trials["val_accuracy"] = 0.4
    assert "may be luck" not in words(gather(run))


def test_the_last_lines_on_a_terminal_stand_on_what_the_page_says(made):
    found, _ = answering(made(RATES), 480, 478, 0)
    others = verdict.closing(found)
    assert any("dead network" in line for line in others)
    assert any(line.startswith("One seed: no spread can be given.") for line in others)
    more = set(others) - set(verdict.sentences(found))
    assert all(line.startswith("One seed") for line in more)  # which names the ties on the page


def test_what_a_row_of_the_answer_says_is_not_said_again(made):
    assert verdict.closing(gather(made(RATES, done=0))) == []
    run = made(RATES)
    run.trials["val_accuracy"] = run.record["data"]["majority_share"]
    found = gather(run)
    page, terminal = words(found), " ".join(verdict.closing(found))
    for said in ("have the same mean", "nothing has been learnt", "On the test split"):
        assert said in page and said not in terminal
    run.trials["val_accuracy"] = [0.8, 0.7, 0.6]
    run.trials["test_accuracy"] = 0.5
    found = gather(run)
    assert "lies" in " ".join(verdict.closing(found)) and "On the test split" not in " ".join(verdict.closing(found))


def test_an_interval_is_cut_to_what_an_accuracy_can_be(made):
    run = made({}, repeats=2, accidents=False)
    run.trials["val_accuracy"] = [0.1, 0.9]
    assert "accuracy: 0.000 to 1.000 (Student, n = 2, cut to what an accuracy can be)." in words(gather(run))


def test_pictures_of_persons_trained_on_are_named(made):
    run = made({}, repeats=2, accidents=False)
    run.trials["test_accuracy"] = [0.6, 0.62]
    assert "group" not in words(gather(run)) and "Groups" not in dict(basis.facts(gather(run)))
    shared = {"validation": {"shared": 0, "of": 98}, "test": {"shared": 99, "of": 99}}
    about = {"rule": "(S.)_", "count": 118, "images": 981, "alone": 0, "shared": shared}
    run.record["data"]["groups"] = about
    found = gather(run)
    known = "99 of the 99 test images (100.0%) share a group, such as a person, with training: the accuracy is not"
    assert known in words(found) and known in " ".join(verdict.closing(found))
    assert dict(basis.facts(found))["Groups"] == (
        "118 of 981 images (data.group = (S.)_); "
        "99 of 99 test and 0 of 98 validation images share a group with training"
    )
    run.record["data"]["groups"] = about | {"shared": {"test": {"shared": 0, "of": 99}}}
    assert "such as a person" not in words(gather(run))
