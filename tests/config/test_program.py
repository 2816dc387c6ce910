"""The head of all programs: what is read, what is refused, and what the shell is told."""

import pytest
from absl import flags

from fer_jax.config.program import run_program
from fer_jax.errors import DataError

USAGE = "usage: python -m fer_jax.baking CAKE [--sugar=GRAMS]"


def declare(values):
    flags.DEFINE_integer("sugar", 0, "Grams of it.", lower_bound=0, flag_values=values)


def start(*arguments, check=lambda command: "", run=lambda command: 0, **options):
    argv = ["baking", *arguments]
    return run_program(argv, "Bakes a cake.\n", USAGE, declare, check, run, **options)


def test_a_program_is_given_its_flags_and_arguments():
    def run(command):
        assert command.flags.sugar == 50 and command.arguments == ["a", "b"]
        assert command.config is None and command.overrides == {}
        return 1

    assert start("a", "--sugar=50", "b", run=run) == 1


def test_a_program_that_takes_a_config_is_given_it_apart():
    def run(command):
        assert command.config == "cake.py:small" and command.overrides == {"train.l2": "0.1"}
        return 0

    arguments = ("--config=cake.py:small", "--config.train.l2", "0.1", "--sugar=1")
    assert start(*arguments, run=run, takes_config=True) == 0
    assert start(*arguments, run=run) == 2


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_what_it_is_for_its_usage_its_flags_and_the_note(flag, capsys):
    assert start(flag, check=lambda command: pytest.fail("checked"), note="Bon appetit.") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Bakes a cake.\n\n{USAGE}\n") and out.endswith("\n\nBon appetit.\n") and err == ""
    assert "--sugar: Grams of it." in out and "-h,--[no]help: Show this help." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sugr=1"], "Unknown command line flag 'sugr'"),
        (["--sugar=-1"], "flag --sugar=-1"),
        (["--sugar"], "sugar"),
    ],
)
def test_a_wrong_flag_is_one_line(arguments, message, capsys):
    assert start(*arguments, run=lambda command: pytest.fail("ran")) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and message in err and err.count("\n") == 1


def test_what_the_check_refuses_ends_with_the_usage(capsys):
    assert start(check=lambda command: "no cake", run=lambda command: pytest.fail("ran")) == 2
    assert capsys.readouterr().err == f"error: no cake; {USAGE}\n"


def test_an_error_of_the_users_is_one_line(capsys):
    def run(command):
        raise DataError("flour.zip: no such file")

    assert start(run=run) == 2
    assert capsys.readouterr().err == "error: flour.zip: no such file\n"


def test_stopped_and_broken():
    def stopped(command):
        raise KeyboardInterrupt

    def broken(command):
        raise ZeroDivisionError

    assert start(run=stopped) == 130
    with pytest.raises(ZeroDivisionError):
        start(run=broken)
