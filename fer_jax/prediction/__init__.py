"""Trained networks asked about other images than their own: files, data sets, faces in photographs.

How a network computes belongs in models/, what it gave for its own data in results/.
"""
