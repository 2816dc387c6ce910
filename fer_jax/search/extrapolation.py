import numpy as np


def unlikely(curves, end, level):
    return np.zeros(len(curves), bool)
