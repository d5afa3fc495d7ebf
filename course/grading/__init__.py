"""From a student's notebook to verdicts."""
