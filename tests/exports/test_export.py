"""The program: what it writes where, and what it says to a wrong command line."""

import shutil

import onnx
import pytest

from fer_jax import export, export_model
from fer_jax.errors import RunError


def call(*argv):
    return export.main(["export", *map(str, argv)])


def test_a_trial_goes_into_the_run_or_where_it_is_told(path, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(path, run)
    assert call(run, "--to=safetensors", "--trial=10") == 0
    assert (run / "exports/10ab.safetensors").is_file()
    assert call(run, "--to=onnx", "--best", f"--out={tmp_path / 'x.onnx'}", "--pixels=float32", "--weights=last") == 0
    texts = {prop.key: prop.value for prop in onnx.load(tmp_path / "x.onnx").metadata_props}
    assert (texts["trial"], texts["weights"]) == ("21ab", "last")  # the best by validation accuracy
    said = capsys.readouterr().out
    assert "10ab.safetensors" in said and "x.onnx (run with onnxruntime: probabilities differ" in said


def test_tables_go_into_the_run(path, tmp_path, capsys):
    assert call(path, "--to=tables", f"--out={tmp_path}") == 0
    kinds = ("points", "comparisons", "trials", "rank_correlations")
    names = sorted(f"{name}.{suffix}" for name in kinds for suffix in ("csv", "md", "tex"))
    assert sorted(file.name for file in tmp_path.iterdir()) == names  # no heads: no table of them
    assert len(capsys.readouterr().out.splitlines()) == 12


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--to=onnx"], "no run"),
        (["RUN", "RUN", "--to=onnx"], "one run at a time"),
        (["RUN"], "no format: add --to=FORMAT, such as --to=tables; usage: "),
        (["RUN", "--to=keras"], "--to=keras: must be one of"),
        (["RUN", "--to=onnx"], "add --trial=ID or --best"),
        (["RUN", "--to=onnx", "--best", "--trial=00"], "add --trial=ID or --best"),
        (["RUN", "--to=tables", "--best"], "of the whole run: leave out --best"),
        (["RUN", "--to=onnx", "--trial=00", "--out=x.bin"], "--out=x.bin: must end in .onnx"),
        (["RUN", "--to=onnx", "--trial=99"], "no trial '99'"),
        (["RUN", "--to=onnx", "--best", "--weights=worst"], "must be 'best' or 'last'"),
        (["nowhere", "--to=tables"], "no run at nowhere"),
        (["RUN", "--too=tables"], "Unknown command line flag 'too'"),
    ],
)
def test_errors_are_one_line(path, argv, said, capsys):
    assert call(*(path if word == "RUN" else word for word in argv)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


def test_help_names_every_kind(capsys):
    assert call("--help") == 0
    said = capsys.readouterr().out
    assert all(f" {kind}" in said or f"|{kind}" in said for kind in (*export.OF_TRIALS, *export.OF_RUNS))


def test_a_run_has_no_other_export(run):
    with pytest.raises(RunError, match="'excel' is none of these"):
        export_model(run, "excel")
