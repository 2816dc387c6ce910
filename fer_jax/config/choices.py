"""Words that programs offer and that are no config fields; rooms above say what each does.

They stand apart so that --help need not wait for JAX and SciPy.
"""

# Ways of test-time augmentation: fer_jax.models.test_time.
TEST_TIME = ("flip", "ten_crop")
# Scores of likeness to the training data: fer_jax.analysis.outliers.
LIKENESS = ("energy", "max_logit")
