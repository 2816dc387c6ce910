"""Drawings, one file each, in the style of `style.py`: from arrays and rankings to matplotlib
figures.

Numbers are computed in analysis/, and which drawings a report has is decided in reports/.
"""
