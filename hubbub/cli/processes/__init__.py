"""One server in several processes: the supervisor, its workers and their bus."""
