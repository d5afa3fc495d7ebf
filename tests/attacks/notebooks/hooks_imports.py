# class: hidden modules
# attack: import hooks that hand out forged versions of the modules which the grader's code imports later
# noticed: - (what the forged modules answer is only an answer)

# %%
import builtins
import sys
import types


class Finder:
    def find_spec(name, path=None, target=None):
        return None

    sys.meta_path.insert(0, type("Hook", (), {"find_spec": staticmethod(find_spec)}))
    real = builtins.__import__

    def fake(name, *args, **kwargs):
        if name.endswith(("diagnose", "compare", "report")):
            return types.SimpleNamespace(first_difference=lambda *args, **kwargs: None, agree=lambda *args: True)
        return Finder.real(name, *args, **kwargs)

    builtins.__import__ = fake
    sys.modules["course.checks.compare"] = types.SimpleNamespace(first_difference=lambda *args, **kwargs: None)
