"""What every room may need and that knows nothing of networks: words, files, the cache, the
console, optional packages.

Nothing here knows a config field, a data set or a run; what does belongs to the room of that
subject.
"""
