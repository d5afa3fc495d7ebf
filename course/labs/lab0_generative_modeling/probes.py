"""What is done with a student's object in lab 0. Runs where the object lives; knows no right answer.

No exercise of this lab calls another, so there are no stand-ins.
"""

from typing import Any

from torch import Tensor

from course.checks.exercise import probe


def _pair(returned: Any, name: str, parts: str) -> tuple[Any, Any]:
    if isinstance(returned, (tuple, list)) and len(returned) == 2:
        return returned[0], returned[1]
    kind = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else f"a {type(returned).__name__}"
    raise TypeError(f"{name} must return two tensors, ({parts}); it returned {kind}")


@probe()
def heights(candidate: Any, x: Tensor, edges: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"density": candidate(x, edges)}


@probe()
def mean_of_fit(candidate: Any, x: Tensor) -> dict[str, Any]:
    """Fit, and look at the mean."""
    return {"mean": _pair(candidate(x), "fit_gaussian", "mean, cov")[0]}


@probe()
def covariance_of_fit(candidate: Any, x: Tensor) -> dict[str, Any]:
    """Fit, and look at the covariance."""
    return {"cov": _pair(candidate(x), "fit_gaussian", "mean, cov")[1]}


@probe()
def log_density(candidate: Any, x: Tensor, mean: Tensor, cov: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"log_density": candidate(x, mean, cov)}


@probe()
def refusal(candidate: Any, x: Tensor, mean: Tensor, cov: Tensor) -> dict[str, Any]:
    """Call it with a matrix that may be no covariance; write down whether it raises an error, and one that says why."""
    raised, says_why = False, False
    try:
        candidate(x, mean, cov)
    except NotImplementedError:
        raise  # what is not written yet refuses nothing
    except Exception as error:
        raised, says_why = True, "positive" in str(error).lower()
    return {
        "the_number_of_errors_raised": float(raised),
        "the_number_of_errors_that_say_'not_positive_definite'": float(says_why),
    }


@probe()
def kernel(candidate: Any, query: Tensor, data: Tensor, bandwidth: float) -> dict[str, Any]:
    """Call it."""
    return {"log_density": candidate(query, data, bandwidth)}


@probe()
def inverse(candidate: Any, u: Tensor, edges: Tensor, density: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"x": candidate(u, edges, density)}


@probe()
def mixture(candidate: Any, n: int, weights: Tensor, means: Tensor, covs: Tensor) -> dict[str, Any]:
    """Draw twice."""
    x, component = _pair(candidate(n, weights, means, covs), "ancestral_sample", "x, component")
    again, component_again = _pair(candidate(n, weights, means, covs), "ancestral_sample", "x, component")
    return {"x": x, "component": component, "second_x": again, "second_component": component_again}
