"""What leaves a run for other programs: weights, networks, and its curves and figures for trackers. No module here trains anything."""
