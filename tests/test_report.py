"""The program: what it prints, and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from reported_runs import run_directory, table_rows

from fer_jax import report


def test_main_writes_each_run_and_goes_on_after_a_wrong_one(tmp_path, capsys):
    good = [run_directory(tmp_path / name, ("failed",) * 4, curves=False) for name in ("one", "two")]
    status = report.main(["report", str(good[0]), str(tmp_path / "none"), str(good[1])])
    out, err = capsys.readouterr()
    assert status == 2
    assert out.split() == [str(path / "report.html") for path in good]
    assert err.startswith("error: ") and err.count("\n") == 1 and "none" in err
    assert report.main(["report", str(good[0])]) == 0


def test_main_writes_one_page_about_several_runs(tmp_path, capsys):
    paths = [run_directory(tmp_path / name) for name in ("one", "two")]
    out = tmp_path / "pages" / "all.html"
    assert report.main(["report", *map(str, paths), "--compare", f"--out={out}"]) == 0
    assert capsys.readouterr().out.strip() == str(out) and not (paths[0] / "report.html").exists()
    assert [row[0] for row in table_rows(out.read_text(), "runs")[1:]] == ["one", "two"]


def test_usage(capsys):
    assert report.main(["report"]) == 2
    assert report.USAGE in capsys.readouterr().err
    assert report.main(["report", "--help"]) == 0
    assert report.USAGE in capsys.readouterr().out


def test_program(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    done = subprocess.run(
        [sys.executable, "-m", "fer_jax.report", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(path / "report.html"), "")


def test_it_serves_a_run_until_it_is_interrupted(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-u", "-m", "fer_jax.report", str(path), "--serve", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        address = program.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:") and "ssh -L" in program.stdout.readline()
        with urllib.request.urlopen(f"{address}state.json", timeout=60) as answer:
            assert json.load(answer)["words"] == "interrupted, 0 of 4 trials done"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (130, "\nstopped\n", "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--serve", "--compare"], "leave out --compare"),
        (["--serve", "--pdf"], "leave out --compare"),
        (["--port=8000"], "are of --serve"),
        (["--host=0.0.0.0"], "are of --serve"),
        (["--serve", "--port=70000"], "--port"),
    ],
)
def test_flags_of_serving_are_checked(tmp_path, capsys, flags, said):
    assert report.main(["report", str(tmp_path), *flags]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_a_comparison_says_what_is_wrong_in_one_line(tmp_path, capsys):
    path = run_directory(tmp_path / "run")
    assert report.main(["report", str(path), str(tmp_path / "none"), "--compare", f"--out={tmp_path / 'x.html'}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "x.html").exists()
    assert report.main(["report", str(path), "--out=x.html"]) == 2 and "add --compare" in capsys.readouterr().err
