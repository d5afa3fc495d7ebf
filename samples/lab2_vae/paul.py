# start: file
this is not a notebook, but a text file that was renamed
