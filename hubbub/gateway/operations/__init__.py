"""For operators: health, metrics, and the socket of the command line."""
