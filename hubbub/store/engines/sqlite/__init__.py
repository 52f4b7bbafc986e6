"""SQLite: the embedded database, in a file of the data folder.

Hubbub brings its own SQLite with `apsw`, so that it is the same one on every machine. Python's
`sqlite3` module must not open the same files in one process: each copy of the library drops the
other's file locks when it closes a file.
"""
