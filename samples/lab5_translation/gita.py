# start: student
# Handed in untouched.
