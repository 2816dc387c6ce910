"""Drawings, one file each, in the style of `style.py`: from arrays and rankings to matplotlib
figures.

Numbers are computed in analysis/; which drawings a report has is said in `drawings.py`.
"""
