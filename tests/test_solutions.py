"""The numbers that a solution notebook prints are checked: nbval passes on it, and fails when one function is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course.checks.exercise import Exercise
from course.labs import lab_names, load

ROOT = Path(__file__).parent.parent
MARK = "# NBVAL_CHECK_OUTPUT"
# One change to each function of a lab, from right to wrong.
WRONG = {
    "lab0_generative_modeling": {
        "histogram_density": ("/ (len(inside) * edges.diff())", "/ len(inside)"),
        "fit_gaussian": ("/ len(x)", "/ (len(x) - 1)"),
        "gaussian_log_prob": ("- half_log_det", "+ half_log_det"),
        "kernel_log_density": (" - math.log(n)", ""),
        "inverse_cdf_sample": ("density * edges.diff()", "density * 1"),
        "ancestral_sample": ("torch.linalg.cholesky(covs)", "covs"),
    },
    "lab1_autoencoders": {
        "squared_error": (".sum(dim=(1, 2, 3))", ".mean(dim=(1, 2, 3))"),
        "build_encoder": ("nn.Linear(128, latent_dim)", "nn.Linear(128, 2)"),
        "build_decoder": ("nn.Unflatten(1, out_shape)", "nn.Identity()"),
        "Autoencoder": ("self.decode(self.encode(x))", "self.encode(x)"),
        "train_epoch": ("loss.item() * len(x)", "loss.item()"),
        "pca_reconstruct": ("svd(x - mean,", "svd(x,"),
        "nearest_codes": ("largest=False", "largest=True"),
    },
    "lab2_vae": {
        "reparameterize": ("torch.exp(0.5 * logvar)", "torch.exp(logvar)"),
        "gaussian_kl": ("- 1 - logvar", "- logvar"),
        "bernoulli_nll": (".sum(dim=1)", ".mean(dim=1)"),
        "negative_elbo": ("+ beta *", "- beta *"),
        "VAE": ("torch.sigmoid(self.decode(z))", "self.decode(z)"),
        "train_step": ("loss.backward()\n    optimizer.step()", "loss.backward()"),
        "traverse": ("codes[:, dim] = values", "codes[:, dim] += values"),
        "mutual_information_gap": ("(first - second)", "first"),
    },
    "lab3_debiasing": {
        "recall_by_group": ("found.float() / torch.bincount(group, minlength=n_groups)", "found.float() / len(group)"),
        "dbvae_loss": ("(classification + is_face * description)", "(is_face * (classification + description))"),
        "latent_kl": (".mean(dim=0)", ".sum(dim=0)"),
        "resampled_indices": ("probabilities.to(device), n", "1 - probabilities.to(device), n"),
        "latent_histogram": ("/ len(mu_column) + smoothing", "/ len(mu_column)"),
        "resampling_probabilities": ("weights.log()[:, None] - log_q", "weights.log()[:, None] + log_q"),
        "temper": ("softmax(t * log_p", "softmax(0.5 * log_p"),
        "outlier_scores": ("+ gaussian_kl(mu, logvar)", "- gaussian_kl(mu, logvar)"),
        "auroc": ("(below + not_above)", "(below + below)"),
    },
    "lab4_gans": {
        "optimal_discriminator": ("p_data / both", "p_model / both"),
        "discriminator_loss": ("F.softplus(-real_logits)", "F.softplus(real_logits)"),
        "discriminator_step": ("    optimizer.zero_grad()\n", ""),
        "generator_loss_minimax": ("-F.softplus(fake_logits)", "F.softplus(fake_logits)"),
        "generator_loss_nonsaturating": ("softplus(-fake_logits)", "softplus(fake_logits)"),
        "generator_step": ("D(G(z))", "D(G(z).detach())"),
        "r1_penalty": (".sum(dim=1).mean()", ".mean()"),
        "interpolate": ("torch.linspace(0, 1, steps,", "torch.linspace(0, 0.9, steps,"),
        "append_labels": ("[z, one_hot]", "[one_hot, z]"),
        "append_label_maps": ("[x, maps]", "[maps, x]"),
        "frechet_distance": ("- 2 * overlap", "- overlap"),
    },
    "lab5_translation": {
        "UNetBlock": ("[x, self.enlarge(small)]", "[self.enlarge(small), x]"),
        "conditional_pair": ("[condition, image]", "[image, condition]"),
        "pix2pix_discriminator_loss": ("0.5 * (F.softplus", "(F.softplus"),
        "pix2pix_generator_loss": ("softplus(-fake_logits)", "softplus(fake_logits)"),
        "lsgan_loss": ("1.0 if is_real else 0.0", "0.0 if is_real else 1.0"),
        "cycle_consistency_loss": (".abs().mean()", ".square().mean()"),
        "identity_loss": (".abs().mean()", ".abs().sum()"),
        "cyclegan_generator_loss": ("identity_loss(b, G_ab(b))", "identity_loss(b, G_ba(b))"),
        "cyclegan_discriminator_loss": ("0.5 * (lsgan_loss", "(lsgan_loss"),
        "ImageBuffer": ("self.images[place] = self.images[place], image", "self.images[place] = image, self.images[place]"),
    },
}
CHANGES = [
    pytest.param(lab, name, *change, id=f"{lab}-{name}")
    for lab, changes in WRONG.items()
    for name, change in changes.items()
]


def checked_part(lab: str) -> nbformat.NotebookNode:
    """A lab's solution, reduced to its set-up, its exercises and the cells whose output is compared."""
    notebook = nbformat.read(ROOT / "solutions" / f"{lab}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [
        cell for i, cell in enumerate(code) if i == 0 or "nbgrader" in cell.metadata or cell.source.startswith(MARK)
    ]
    return notebook


def nbval(notebook: nbformat.NotebookNode, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "solution.ipynb"
    nbformat.write(notebook, path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-current-env",
        "-q",
        "-p",
        "no:cacheprovider",
        str(path),
    ]
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-c", os.devnull], capture_output=True, text=True, cwd=folder, timeout=300
    )


def test_every_exercise_has_its_change():
    for lab in lab_names():
        exercises = {name for name, entry in load(lab).entries.items() if isinstance(entry.item, Exercise)}
        assert set(WRONG.get(lab, {})) == exercises


@pytest.mark.slow
@pytest.mark.parametrize("lab", sorted(WRONG))
def test_the_checked_numbers_of_a_solution_hold(lab: str, tmp_path: Path):
    notebook = checked_part(lab)
    assert sum(cell.source.startswith(MARK) for cell in notebook.cells) >= 6
    result = nbval(notebook, tmp_path)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("lab", "name", "right", "wrong"), CHANGES)
def test_a_solution_with_one_function_wrong_fails(lab: str, name: str, right: str, wrong: str, tmp_path: Path):
    notebook = checked_part(lab)
    cell = next(cell for cell in notebook.cells if cell.id == name)
    assert cell.source.count(right) == 1
    cell.source = cell.source.replace(right, wrong)
    result = nbval(notebook, tmp_path)
    assert result.returncode == 1, result.stdout
    assert "failed" in result.stdout
