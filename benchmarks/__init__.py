"""Time against suboptimality, ours and the peers: `python -m benchmarks --help`."""
