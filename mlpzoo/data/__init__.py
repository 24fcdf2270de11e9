"""Data sets: their format, their validation, and where to get them.

``dataset`` reads and writes them, ``registry`` lists them, ``fetch`` gets the public ones.
"""
