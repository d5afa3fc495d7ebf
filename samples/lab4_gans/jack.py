# start: empty
# An empty notebook.
