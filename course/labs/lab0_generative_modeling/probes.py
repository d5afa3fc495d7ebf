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


def _refuses(candidate: Any, x: Tensor, mean: Tensor, cov: Tensor) -> tuple[Any, str | None]:
    """Return what it returns, and what its error says if it refuses cov."""
    try:
        return candidate(x, mean, cov), None
    except NotImplementedError:
        raise  # what is not written yet refuses nothing
    except (ValueError, RuntimeError) as error:
        return None, str(error)


@probe()
def log_density_or_refusal(candidate: Any, x: Tensor, mean: Tensor, cov: Tensor) -> dict[str, Any]:
    """Call it; write down whether it takes a good covariance for none."""
    values, error = _refuses(candidate, x, mean, cov)
    return {
        "the_number_of_errors_raised_for_a_good_covariance": float(error is not None),
        "log_density": x.new_zeros(len(x)) if error is not None else values,
    }


@probe()
def refusal(candidate: Any, x: Tensor, mean: Tensor, cov: Tensor) -> dict[str, Any]:
    """Call it with a matrix that may be no covariance; write down whether it raises an error, and one that says why."""
    _, error = _refuses(candidate, x, mean, cov)
    return {
        "the_number_of_errors_raised_(0_for_a_covariance,_1_for_none,_as_[[1,_2],_[2,_1]])": float(error is not None),
        "the_number_of_errors_that_say_'not_positive_definite'": float("positive" in (error or "").lower()),
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
