"""The table of fields: every one is sound, and others may be added."""

from fer_jax.config import fields


def test_every_field_is_declared_soundly():
    for name, field in fields.FIELDS.items():
        assert field.name == name
        assert field.coerce(field.default) == field.default
        assert type(field.coerce(field.default)) is type(field.default)
        assert field.comment and "\n" not in field.comment
        assert field.kind in ("shape", "traced", "head", "run", "sweep")
        for need in field.needs:
            other = fields.FIELDS[need.name]
            assert all(other.coerce(value) == value for value in need.values)
            assert [bool(need.values), need.above is not None, need.longer is not None].count(True) == 1
            assert need.longer is None or other.type is tuple
            assert need.above is None or other.item_type in (int, float)


def test_a_choice_of_ones_own_meets_every_need_of_its_field(monkeypatch):
    for name, field in fields.FIELDS.items():
        monkeypatch.setitem(fields.FIELDS, name, field)  # so that each is put back
    for _ in range(2):
        fields.add_choice("model.name", "mine")
    assert fields.FIELDS["model.name"].choices.count("mine") == 1
    assert (
        fields.FIELDS["model.dense"].needed
        == "model.name = cnn or imperial or vgg19 or mobilenet_v2 or efficientnet_b0 or resnet50_v2 or mine"
    )
    assert fields.FIELDS["train.momentum"].needed == "train.optimizer = sgd or nesterov or rmsprop"
