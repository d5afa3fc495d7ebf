# start: empty
# A notebook without any cell of the lab.
