"""A game that goes wrong is seen in its history, and told with what may help."""

import pytest

from threefold.tasks.metrics.images.adversarial_history import WINDOW, find_remedies, find_trouble

OPTIONS = {
    "architecture": "dcgan", "loss": "standard", "gradient_penalty": "none", "mode_seeking": 0.0,
    "minibatch_deviation": False, "discriminator_lr_ratio": 1.0, "diff_augment": (),
}  # fmt: skip
GOOD = {"diversity": 0.9, "accuracy_real": 0.8, "accuracy_generated": 0.7}
ALIKE = GOOD | {"diversity": 0.1}
WON = GOOD | {"accuracy_real": 0.999, "accuracy_generated": 0.995}


def test_a_good_game_is_left_alone():
    assert find_trouble([GOOD] * 20, OPTIONS) == {}
    assert find_trouble([ALIKE, WON] * 5 + [GOOD] * WINDOW, OPTIONS) == {}
    assert find_trouble([ALIKE | WON] * (WINDOW - 1), OPTIONS) == {}
    critic = {"diversity": 0.9, "discriminator_loss": -3.0}
    assert find_trouble([critic] * 20, OPTIONS | {"loss": "wasserstein"}) == {}


@pytest.mark.parametrize(
    ("changed", "remedies"),
    [
        (
            {},
            "-o gradient_penalty=r1, -o minibatch_deviation=true or -o mode_seeking=1",
        ),
        (
            {"loss": "wasserstein", "minibatch_deviation": True},
            "-o gradient_penalty=wgan_gp or -o mode_seeking=1",
        ),
        (
            {"gradient_penalty": "r1", "architecture": "progan", "mode_seeking": 1.0},
            "a lower --learning-rate",
        ),
    ],
)
def test_images_that_are_alike_are_told_with_what_is_not_set_yet(changed, remedies):
    found = find_trouble([GOOD] * 5 + [ALIKE] * WINDOW, OPTIONS | changed)
    assert set(found) == {"collapse"}
    assert found["collapse"].endswith(
        f"their mean distance was 0.10 of that of real ones; try {remedies}"
    )


def test_a_discriminator_that_has_won_is_told():
    found = find_trouble([WON] * WINDOW, OPTIONS)
    assert set(found) == {"won"}
    assert "it knew 99.5% of all images" in found["won"]
    assert found["won"].endswith(
        "try -o gradient_penalty=r1, -o discriminator_lr_ratio=0.25 or "
        "-o diff_augment=translation,cutout"
    )


def test_a_game_that_explodes_is_not_told_what_its_networks_refuse():
    found = find_remedies(OPTIONS | {"spectral_norm": False})
    assert found == ["-o gradient_penalty=r1", "-o spectral_norm=true"]
    for architecture in ("sagan", "progan"):
        options = OPTIONS | {"spectral_norm": False, "architecture": architecture}
        assert find_remedies(options) == ["-o gradient_penalty=r1"]
    assert find_remedies({"filters": 32}) == []  # networks that complete images
