"""The two dialects: decode frames to commands, encode events to frames. No I/O."""
