"""From files as people have them to labelled images: containers, layouts, tables, decoding, and the
prepared copy.

What is done with the images afterwards (classes, splits, balance, audits) lies one room up, in
data/.
"""
