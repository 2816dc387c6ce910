"""Which pixels a network's answers stand on: five methods, their maps and averages of maps.

`explain` asks trials and runs, `methods` computes with a network, `compute` compiles that and feeds
it batches, `settings` checks what a user asks for, `maps` holds and averages what came out. Drawing
belongs in figures/.
"""

from fer_jax.saliency.maps import ClassSaliency, RepeatedSaliency, Saliency
from fer_jax.saliency.settings import METHODS

__all__ = ["METHODS", "ClassSaliency", "RepeatedSaliency", "Saliency"]
