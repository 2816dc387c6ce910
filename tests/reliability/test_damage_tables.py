"""A share of the damages that `damage_tables.py` does by the hundred."""

from tests.reliability import damage_tables


def test_no_damaged_table_or_prediction_is_believed():
    lines = []
    held, wrong = damage_tables.main(tries=20, seed=1, say=lines.append)
    assert not wrong
    assert held == 20 and lines[-1] == "20 tried, 20 held, 0 wrong" and len(lines) == 21
