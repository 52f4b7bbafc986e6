"""SQLite: the embedded database, a file in the data folder.

The package `apsw` includes SQLite, so that its version is the same on every machine. Python's
`sqlite3` module must not open the same files in the same process: each copy of the library would
release the other's file locks when it closes a file.
"""
