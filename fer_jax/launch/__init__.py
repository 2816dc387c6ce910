"""The only loop of the program: ask, plan, train, store, tell."""
