"""An MLflow store read back with MLflow's client: every trial once, however often."""

import mlflow
import pytest

from fer_jax import export_model
from fer_jax.errors import RunError


def read(store):
    """(experiment, runs by name) of the only experiment of a store beside MLflow's own."""
    client = mlflow.MlflowClient(f"sqlite:///{store}")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return client, experiment, {run.info.run_name: run for run in runs}


def steps(client, run, name):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]


@pytest.fixture(scope="module")
def store(growing, tmp_path_factory):
    """A store to which a run was exported while it went on, twice, and again when it had ended."""
    folder = tmp_path_factory.mktemp("mlflow")
    store = folder / "mlflow.db"
    running = growing(folder / "four_networks", (1, 2), {"00ab": "running", "01ab": "pending"})
    said = [export_model(running, "mlflow", store), export_model(running, "mlflow", store)]
    ended = growing(folder / "four_networks", (3,))
    said += [export_model(ended, "mlflow", store), export_model(ended, "mlflow", store)]
    assert [text.split(": ")[1].split()[0] for text in said] == ["6", "0", "2", "0"]
    return store


def test_an_experiment_has_a_run_a_trial_that_has_begun(store):
    _, experiment, runs = read(store)
    assert experiment.name == "four_networks (2026-01-02T03:04:05+00:00)"
    assert experiment.tags["fer_jax.data"] == "synthetic faces, official split"
    assert sorted(runs) == ["00ab", "01ab", "10ab", "11ab", "20ab", "21ab", "30ab"]


def test_params_tags_and_ends(store):
    _, _, runs = read(store)
    assert runs["21ab"].data.params == {"model.name": "imperial", "seed": "6"}
    assert runs["00ab"].data.tags["fer_jax.status"] == "done" and runs["00ab"].info.status == "FINISHED"
    assert runs["30ab"].data.tags["fer_jax.status"] == "diverged" and runs["30ab"].info.status == "FAILED"


def test_every_epoch_is_there_once(store):
    client, _, runs = read(store)
    assert steps(client, runs["00ab"], "val_accuracy") == [(1, 0.125), (2, 0.25), (3, 0.375)]
    assert steps(client, runs["01ab"], "train_loss") == [(1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3))]
    assert steps(client, runs["11ab"], "result/val_accuracy") == [(2, pytest.approx(0.62))]


def test_a_store_that_cannot_be_opened_is_one_line(run, tmp_path):
    (tmp_path / "store.db").write_text("no database")
    with pytest.raises(RunError, match="store.db cannot be used") as caught:
        export_model(run, "mlflow", tmp_path / "store.db")
    assert "\n" not in str(caught.value)
