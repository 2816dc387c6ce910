"""What leaves a run for other programs: weights, networks, curves for TensorBoard, runs for MLflow.

Tables for papers belong in reports/.
"""
