"""Many small networks at once: all folds and all ridges in one tensor."""
