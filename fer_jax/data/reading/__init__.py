"""From files as people have them to labelled images of one size, with a prepared copy in the cache.

Containers, layouts, tables and decoding belong here. What is done with the images afterwards
(classes, splits, balance, audits) lies one room up, in data/.
"""
