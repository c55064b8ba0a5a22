"""The words that every other part speaks: options, problems, networks, vectors, thresholds."""
