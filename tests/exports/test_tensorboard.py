"""Event files read back with TensorBoard's own reader: curves, swept values, results; and what a
second call adds.
"""

import datetime

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from fer_jax import export_model
from fer_jax.errors import RunError
from fer_jax.exports import tensorboard


def read(folder):
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def hparams(folder, tag):
    content = read(folder).SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    export_model(run, "tensorboard", folder)
    return folder


def test_curves_are_scalars_by_epoch(folder, run):
    found = read(folder / "01ab")
    own = run.trial("01ab").curves
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        events = found.Scalars(name)
        assert [event.step for event in events] == [1, 2, 3]
        assert [event.value for event in events] == pytest.approx(own[name].tolist(), rel=1e-6)
    assert (
        datetime.datetime.fromtimestamp(found.Scalars("val_loss")[0].wall_time, datetime.UTC).isoformat()
        == run.record["started"]
    )


def test_results_stand_at_the_chosen_epoch(folder):
    (event,) = read(folder / "11ab").Scalars("result/val_accuracy")
    assert (event.step, event.value) == (2, pytest.approx(0.62))


def test_what_is_no_number_and_who_has_not_begun_are_left_out(folder):
    found = read(folder / "30ab")
    assert [event.step for event in found.Scalars("val_loss")] == [1, 2]
    assert "result/val_accuracy" not in found.Tags()["scalars"] and "result/test_accuracy" in found.Tags()["scalars"]
    assert not (folder / "31ab").exists()


def test_the_order_of_fields_does_not_change_what_is_written():
    written = set()
    for names in ("abcdefgh", "hgfedcba"):
        info = plugin_data_pb2.SessionStartInfo()
        for name in names:
            info.hparams[name].number_value = 1
        content = plugin_data_pb2.HParamsPluginData(session_start_info=info)
        summary = Summary()
        summary.value.add(metadata=metadata.create_summary_metadata(content))
        tensorboard.in_one_order(summary)
        written.add(summary.SerializeToString(deterministic=True))
    assert len(written) == 1


def test_swept_values_and_ends_are_hparams(folder):
    config = hparams(folder, metadata.EXPERIMENT_TAG).experiment
    assert [info.name for info in config.hparam_infos] == ["model.name", "seed"]
    assert "result/test_accuracy" in [info.name.tag for info in config.metric_infos]
    values = hparams(folder / "21ab", metadata.SESSION_START_INFO_TAG).session_start_info.hparams
    assert (values["model.name"].string_value, values["seed"].number_value) == ("imperial", 6)
    ends = {id: hparams(folder / id, metadata.SESSION_END_INFO_TAG).session_end_info.status for id in ("21ab", "30ab")}
    assert ends == {"21ab": api_pb2.STATUS_SUCCESS, "30ab": api_pb2.STATUS_FAILURE}


def test_a_later_call_adds_what_is_new_in_files_that_come_after(growing, tmp_path):
    folder = tmp_path / "events"
    running = growing(tmp_path / "run", (1, 2), {"00ab": "running"})
    export_model(running, "tensorboard", folder)
    assert "0 new files" in export_model(running, "tensorboard", folder)
    before = {path.name: path.read_bytes() for path in (folder / "00ab").iterdir()}
    looking = read(folder / "00ab")
    assert [event.step for event in looking.Scalars("val_loss")] == [1, 2] and "result/val_loss" not in looking.Tags()[
        "scalars"
    ]
    ended = growing(tmp_path / "run", (3,))
    export_model(ended, "tensorboard", folder)
    looking.Reload()
    assert [event.step for event in looking.Scalars("val_loss")] == [1, 2, 3]
    assert len(looking.Scalars("result/val_loss")) == 1
    assert all((folder / "00ab" / name).read_bytes() == content for name, content in before.items())
    assert "0 new files" in export_model(ended, "tensorboard", folder)


def test_a_folder_that_cannot_be_made_is_one_line(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write .*file"):
        export_model(run, "tensorboard", tmp_path / "file")
