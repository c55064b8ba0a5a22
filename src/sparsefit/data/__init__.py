"""Files of the standard image sets: found in a folder, or downloaded with a checksum, and read.

Only NumPy reads them, byte by byte; nothing is ever unpickled.
"""
