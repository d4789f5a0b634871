"""What goes wrong in a game between two networks, as its history shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

WINDOW = 5  # last epochs that are looked at together: one alone is chance
ALIKE = 0.5  # mean distance of generated images, in units of real ones', below which they are alike
BOUNDED = ("sagan", "progan")  # architectures with bounds of their own, which refuse or have it
WON = 0.98  # share of images, of real and of generated ones, that the discriminator knows


def find_trouble(
    history: Sequence[Mapping[str, float]], options: Mapping[str, Any]
) -> dict[str, str]:
    """Return what went wrong in the last epochs, each with the options that remedy it.

    Args:
        history: sequence of mapping. One row an epoch, with `diversity` and, but for a critic,
            `accuracy_real` and `accuracy_generated`.
        options: mapping. The blueprint's, in full.

    Returns:
        dict of str to str. `collapse` and `won`, each where it is seen.
    """
    rows = [row for row in history[-WINDOW:] if "diversity" in row]
    found = {}
    if len(rows) < WINDOW:
        return found
    diversity = sum(row["diversity"] for row in rows) / WINDOW
    if diversity < ALIKE:
        found["collapse"] = (
            f"generated images are alike: in the last {WINDOW} epochs their mean distance was "
            f"{diversity:.2f} of that of real ones; try {_join(_against_collapse(options))}"
        )
    known = [row.get(f"accuracy_{kind}") for row in rows for kind in ("real", "generated")]
    if None not in known and min(known) > WON:
        found["won"] = (
            f"the discriminator has won: in the last {WINDOW} epochs it knew {min(known):.1%} of "
            f"all images, and the generator learns little; try {_join(_against_winning(options))}"
        )
    return found


def find_remedies(options: Mapping[str, Any]) -> list[str]:
    """Return what may keep a game from exploding that its options do not have yet.

    Args:
        options: mapping. The blueprint's, in full.
    """
    remedies = _missing_penalty(options)
    if options.get("spectral_norm") is False and options["architecture"] not in BOUNDED:
        remedies.append("-o spectral_norm=true")
    return remedies


def _missing_penalty(options: Mapping[str, Any]) -> list[str]:
    """Return the penalty that suits a game without one; networks that complete have none at all."""
    if options.get("gradient_penalty") != "none":
        return []
    kind = "wgan_gp" if options["loss"] == "wasserstein" else "r1"
    return [f"-o gradient_penalty={kind}"]


def _against_collapse(options: Mapping[str, Any]) -> list[str]:
    remedies = _missing_penalty(options)
    if not options["minibatch_deviation"] and options["architecture"] != "progan":
        remedies.append("-o minibatch_deviation=true")
    if not options["mode_seeking"]:
        remedies.append("-o mode_seeking=1")
    return remedies or ["a lower --learning-rate"]


def _against_winning(options: Mapping[str, Any]) -> list[str]:
    remedies = _missing_penalty(options)
    if options["discriminator_lr_ratio"] >= 1:
        remedies.append(f"-o discriminator_lr_ratio={options['discriminator_lr_ratio'] / 4:g}")
    if not options["diff_augment"]:
        remedies.append("-o diff_augment=translation,cutout")
    return remedies or ["a lower --learning-rate"]


def _join(remedies: list[str]) -> str:
    return " or ".join([", ".join(remedies[:-1]), remedies[-1]] if remedies[1:] else remedies)
