"""Which points of a sweep are worth more training: decisions as functions of recorded curves.

Nothing here trains or reads a file, so that the same curves give the same decisions on any engine,
at any width and after any kill. Carrying them out belongs to launch/.
"""
