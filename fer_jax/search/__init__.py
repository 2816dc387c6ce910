"""What to train next: spaces of trials, and searches that choose among them."""
