"""What oslo published for the sweep that its figures show, beside whether ours is the same."""

from __future__ import annotations

from fer_jax.analysis.ranking import Ranking

_OSLO_FIELDS = {"train.learning_rate", "train.l2", "train.batch_size"}
_OSLO = (
    "oslo, figures 8 and 9, 300 epochs, one seed: best accuracy .60 at learning rate 1e-5, L2 penalty 1e-4, batch "
    "size 128; lowest loss 1.1608 at 1e-5, 1e-5, 8. Run again for 50 epochs the first point gave .2671; their earlier "
    "grid's best (1e-3, 1e-4, 64) gave .5692"
)


def beside(ranking: Ranking) -> str:
    """Returns a sentence with oslo's published grid for a sweep of its three fields; else ''.

    Their data are FER-2013's Kaggle folders with seven classes; on anything else, or with other
    epochs, the sentence begins with 'Published, other data' or 'Published, other training length'.
    """
    if set(ranking.swept) != _OSLO_FIELDS:
        return ""
    config = ranking.config
    same_data = config.get("data.name") == "fer2013" and ranking.data.get("split") == "kaggle"
    same_data &= len(ranking.data.get("classes") or []) == 7 and config.get("data.fraction", 1.0) == 1.0
    if not same_data:
        return f"Published, other data ({_OSLO})."
    if config.get("train.epochs") != 300:
        return f"Published, other training length ({_OSLO})."
    return f"Published, same data set, split, classes and epochs ({_OSLO})."
