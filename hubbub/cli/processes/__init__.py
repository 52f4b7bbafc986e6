"""Several processes that are one server: the supervisor, its workers and their bus."""
