"""What every room may need: text, files, the cache, the console, optional packages.

Nothing here knows a config field, a network, a data set or a run; what does belongs to the room of
that subject.
"""
