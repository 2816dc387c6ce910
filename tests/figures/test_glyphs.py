"""Texts that a figure's own font cannot write."""

import warnings

import pytest
from matplotlib.text import Text

from fer_jax.figures import distribution, glyphs, style

CLASSES = ("愤怒", "幸せ", "sad", "θυμός")


def bars(classes):
    return distribution.draw({"classes": list(classes), "counts": {"test": dict.fromkeys(classes, 5)}})


def families(drawing):
    return {text.get_text(): text.get_fontfamily() for text in drawing.figure.findobj(Text)}


@pytest.mark.skipif(
    not any("CJK" in family for family, _ in glyphs._installed()), reason="needs a font such as fonts-noto-cjk"
)
def test_chinese_and_japanese_classes_get_an_installed_font(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = bars(CLASSES)
        style.pictures(drawing.figure, "数据集, one seed.")
    found = families(drawing)
    assert len(found["愤怒"]) > 1 and len(found["幸せ"]) > 1
    assert found["sad"] == found["θυμός"] and len(found["sad"]) == 1
    assert capsys.readouterr().err == ""


def test_what_no_font_writes_is_named_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(glyphs, "_installed", list)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        style.png(bars(CLASSES).figure)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "'愤怒', '幸せ'" in err and "fonts-noto-cjk" in err and "θυμός" not in err
