"""From a lab's source to its notebooks, and the proof that its checks are sound."""
