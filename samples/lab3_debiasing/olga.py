# start: empty
# Nothing in it at all.
