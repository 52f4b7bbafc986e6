"""From a decoded command to the executor and the hub: limits, queues, batched reads."""
