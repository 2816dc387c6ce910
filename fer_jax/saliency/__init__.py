"""Which pixels a network's answers stand on: five methods, their maps, averages of maps, and a
figure.

`methods` computes with a network, `compute` compiles that and feeds it batches, `settings` checks
what a user asks for, `maps` holds and averages what came out, `sheet` draws it. What a trial or a
point is, `fer_jax.saliency.explain` knows.
"""

from fer_jax.saliency.maps import ClassSaliency, RepeatedSaliency, Saliency
from fer_jax.saliency.settings import METHODS

# Not `sheet.saliency_sheet`: who loads a run need not wait for matplotlib.
__all__ = ["METHODS", "ClassSaliency", "RepeatedSaliency", "Saliency"]
