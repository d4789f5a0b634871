"""Generative adversarial networks: a generator makes images that a discriminator takes for real.

The family for images that are sharp and made in one pass, from a thousand examples on. The
defaults are the steady ones; `--recipe` sets a paper's choices together.

Sources: Goodfellow et al. 2014 for the game and the `dense` networks; Radford et al. 2016 for
`dcgan`; Zhang et al. 2019 for `sagan`; Karras et al. 2018 for `progan`; Mirza and Osindero 2014 and
Miyato and Koyama 2018 for classes; Yu et al. 2019 for images with holes; the papers of losses and
penalties stand where those are built.
"""

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import Field

from threefold.blueprints.parts.adversarial.config import AdversarialConfig
from threefold.blueprints.parts.adversarial.inpainting import make_discriminator, make_generator
from threefold.blueprints.parts.adversarial.layers import (
    ClassEmbedding,
    EqualizedDense,
    SpectralNormDense,
)
from threefold.blueprints.parts.adversarial.networks import (
    SLOPE,
    make_convolutional,
    make_dense,
    see_convolutional,
    see_dense,
)
from threefold.blueprints.parts.adversarial.progressive import Growing
from threefold.blueprints.parts.options import Count, Rate

DATASETS = {"image_generation": "digits", "image_inpainting": "digits"}
TRAINING = {"epochs": 300, "batch_size": 64, "optimizer": "adam", "learning_rate": 1e-3,
            "schedule": "constant", "warmup": 0.0, "ema": 0.99}  # fmt: skip
TASK_TRAINING = {"image_inpainting": {"epochs": 100, "min_steps": 2000}}

# What papers chose, each as options and settings. Unlike theirs, weights are averaged in all and
# batches are of 64: these are for small data.
RECIPES = {
    "dcgan": {
        "options": {"gradient_penalty": "none", "latent_dim": 100, "beta_2": 0.999},
        "settings": {"learning_rate": 2e-4},
    },
    "lsgan": {
        "options": {"loss": "least_squares", "gradient_penalty": "none", "beta_2": 0.999},
        "settings": {"learning_rate": 2e-4},
    },
    "wgan": {
        "options": {"loss": "wasserstein", "gradient_penalty": "none", "critic_steps": 5},
        "settings": {"optimizer": "rmsprop", "learning_rate": 5e-5},
    },
    "wgan_gp": {
        "options": {
            "loss": "wasserstein", "gradient_penalty": "wgan_gp", "critic_steps": 5, "beta_1": 0.0,
            "beta_2": 0.9,
        },
        "settings": {"learning_rate": 2e-4},
    },
    "sagan": {
        "options": {
            "architecture": "sagan", "loss": "hinge", "gradient_penalty": "none",
            "conditional": True, "discriminator_lr_ratio": 4.0, "beta_1": 0.0, "beta_2": 0.9,
        },
        "settings": {"learning_rate": 1e-4},
    },
    "progan": {
        "options": {
            "architecture": "progan", "loss": "wasserstein", "gradient_penalty": "wgan_gp",
            "latent_dim": 128, "beta_1": 0.0, "beta_2": 0.99,
        },
        "settings": {"learning_rate": 1e-3},
    },
    "cgan": {
        "options": {"architecture": "dense", "gradient_penalty": "none", "conditional": True},
        "settings": {"learning_rate": 2e-4},
    },
}  # fmt: skip

PENALTY_WEIGHT = 10.0  # both papers'
WEIGHT_LIMIT = 0.01  # Arjovsky et al. 2017, for a critic that nothing else bounds
LARGEST_START = 15  # pixels that a generator may begin with
FEWEST_STAGES = 2
MOST_DOUBLED = 16  # times as many filters as at the full size

GROWTH = 0.5  # share of a training in which networks grow
DRIFT = 1e-3  # Karras et al. 2018: what keeps a critic's scores near 0

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    architecture: Literal["dense", "dcgan", "sagan", "progan"] = "dcgan",
    loss: Literal["standard", "least_squares", "hinge", "wasserstein"] = "standard",
    gradient_penalty: Literal["none", "wgan_gp", "r1"] = "r1",
    penalty_weight: Weight | None = None,
    spectral_norm: bool = False,
    minibatch_deviation: bool = False,
    consistency: Weight = 0.0,
    virtual_adversarial: Weight = 0.0,
    feature_matching: Weight = 0.0,
    mode_seeking: Weight = 0.0,
    growth: Share | None = None,
    conditional: bool = False,
    critic_steps: Count = 1,
    latent_dim: Count = 64,
    filters: Count = 32,
    diff_augment: tuple[Literal["translation", "cutout", "color"], ...] = (),
    discriminator_lr_ratio: Ratio = 1.0,
    beta_1: Rate = 0.5,
    beta_2: Rate = 0.99,
) -> keras.Model:
    """Build both networks, one after the other.

    Args:
        image_shape: tuple of int. Height, width, channels.
        num_classes: int. Classes of the data.
        architecture: str. `dense` for small images and points; `dcgan`: convolutions; `sagan`:
            with self-attention, and spectral_norm in both networks; `progan`: networks that grow,
            from the smallest image to the whole, with minibatch_deviation.
        loss: str. `standard` (not saturating), `least_squares`, `hinge`, or `wasserstein`, whose
            critic's weights are clipped to 0.01 unless a penalty or spectral_norm bounds it.
        gradient_penalty: str. `none`; `wgan_gp`: slope 1 between real and generated images; `r1`:
            no slope at real ones.
        penalty_weight: float. Weight of the gradient penalty, of which `r1` takes half; 10 by
            default.
        spectral_norm: bool. Whether the discriminator's kernels have a largest singular value of 1.
        minibatch_deviation: bool. Whether the discriminator sees how different the images of a
            batch are, of which those of a collapsed generator are alike.
        consistency: float. Weight of how much a shift of an image changes its score, in the
            discriminator's loss (Zhang et al. 2020, Zhao et al. 2021).
        virtual_adversarial: float. Weight of how much a score changes by the smallest change of an
            image that changes it most, in the discriminator's loss (Miyato et al. 2018).
        feature_matching: float. Weight of the distance of mean features in the generator's loss.
        mode_seeking: float. Weight of how alike images of other noise are, in the generator's loss
            (Mao et al. 2019).
        growth: float. Share of the training in which the networks of `progan` grow; half of it by
            default.
        conditional: bool. Whether both networks get the class, and asked for by users.
        critic_steps: int. Steps of the discriminator for one of the generator.
        latent_dim: int. Numbers of noise that an image is made of.
        filters: int. Filters at the full size of an image, doubled wherever it is halved, up to
            16 times as many; of `dense`, an eighth of the units of a layer.
        diff_augment: tuple of str. How images are changed before the discriminator sees them:
            translation, cutout, color; for small data, in place of --augment.
        discriminator_lr_ratio: float. The discriminator's learning rate, in units of the
            generator's.
        beta_1: float. Adam's share of the old mean gradient.
        beta_2: float. Adam's share of the old mean of squared gradients.

    Returns:
        keras.Model. From `noise` (batch, latent_dim), and `label` (batch,) if conditional, to the
        scores (batch, 1) of the images made of it. Its layers are `generator`, to images
        (batch, height, width, channels) from -1 to 1, and `discriminator`, from such to `score` and
        `features`; its `adversarial_config` say how to train it.

    Raises:
        ValueError: for options that do not go together, or images that cannot be reached.
    """
    _require_use(penalty_weight, gradient_penalty, num_classes if conditional else None)
    _require_growing(architecture, growth, spectral_norm, minibatch_deviation)
    use_spectral_norm = spectral_norm or architecture == "sagan"
    clipped = loss == "wasserstein" and gradient_penalty == "none" and not use_spectral_norm
    noise = {"noise": keras.Input((latent_dim,), name="noise")}
    image = keras.Input(image_shape, name="image")
    labels = {"label": keras.Input((), dtype="int32", name="label")} if conditional else {}
    x = noise["noise"]
    if conditional:
        vector = ClassEmbedding(num_classes, latent_dim, name="generator_class")(labels["label"])
        x = layers.Concatenate(name="generator_input")([x, vector])
    dense = SpectralNormDense if use_spectral_norm else layers.Dense
    dense = EqualizedDense if architecture == "progan" else dense
    head = _make_head(dense, labels.get("label"), num_classes)
    levels = ()
    if architecture == "progan":
        widths = _find_widths(image_shape, filters, architecture)
        widths.append(filters * min(2 ** len(widths), MOST_DOUBLED))
        growing = Growing(image_shape, widths, SLOPE)
        levels = growing.make_levels(noise | labels, x, labels, head)
        made = growing.generate(x, growing.top)
        features = growing.see(image, growing.top)
    else:
        # Averages over a batch would tie the images together that a penalty takes one by one.
        normalized = gradient_penalty == "none" and not use_spectral_norm
        made, features = _make_networks(
            architecture, x, image, filters, dense, normalized, minibatch_deviation
        )
    model = _join(noise | labels, made, {"image": image, **labels}, head(features), features)
    model.adversarial_config = AdversarialConfig(
        loss=loss,
        gradient_penalty=gradient_penalty,
        penalty_weight=PENALTY_WEIGHT if penalty_weight is None else penalty_weight,
        weight_limit=WEIGHT_LIMIT if clipped else None,
        drift=DRIFT if architecture == "progan" and loss == "wasserstein" else 0.0,
        feature_matching=feature_matching,
        mode_seeking=mode_seeking,
        consistency=consistency,
        virtual_adversarial=virtual_adversarial,
        levels=levels,
        growth=GROWTH if growth is None else growth,
        critic_steps=critic_steps,
        augment=diff_augment,
        discriminator_lr_ratio=discriminator_lr_ratio,
        beta_1=beta_1,
        beta_2=beta_2,
    )
    return model


def build_inpainting(
    image_shape: tuple[int, int, int],
    filters: Count = 32,
    dilations: tuple[Count, ...] = (1, 2),
    reconstruction: Weight = 10.0,
    discriminator_lr_ratio: Ratio = 1.0,
    beta_1: Rate = 0.5,
    beta_2: Rate = 0.99,
) -> keras.Model:
    """Build what completes images, with gated convolutions, and what looks at their patches.

    Args:
        image_shape: tuple of int. Height, width, channels. Any height and width: inside, images are
            padded to a multiple of what the stages halve.
        filters: int. Filters at the full size of an image, doubled wherever it is halved.
        dilations: tuple of int. How far apart the convolutions in the middle look, one each.
        reconstruction: float. Weight of the mean difference inside the hole, beside the
            discriminator's word.
        discriminator_lr_ratio: float. The discriminator's learning rate, in units of the
            generator's.
        beta_1: float. Adam's share of the old mean gradient.
        beta_2: float. Adam's share of the old mean of squared gradients.

    Returns:
        keras.Model. From `image` (batch, height, width, channels), 0 to 255, and `mask` (batch,
        height, width, 1), 1 in its hole, to the scores (batch, patches) of the completed image. Its
        layers are `generator`, to completed images, 0 to 255, and `discriminator`, from such, -1
        to 1, and their masks to `score`; its `adversarial_config` says how to train it.
    """
    generator = make_generator(image_shape, filters, dilations)
    discriminator = make_discriminator(image_shape, filters)
    given = {name: keras.Input(t.shape[1:], name=name) for name, t in generator.input.items()}
    rescale = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="rescale_completed")
    seen = {"image": rescale(generator(given)), "mask": given["mask"]}
    model = keras.Model(given, discriminator(seen)["score"], name="gan")
    model.adversarial_config = AdversarialConfig(
        loss="hinge",
        gradient_penalty="none",
        discriminator_lr_ratio=discriminator_lr_ratio,
        beta_1=beta_1,
        beta_2=beta_2,
        reconstruction=reconstruction,
    )
    return model


TASKS = {"image_generation": build, "image_inpainting": build_inpainting}


def _require_use(penalty_weight, gradient_penalty: str, num_classes: int | None) -> None:
    """Refuse a weight of no penalty, and a condition that tells nothing."""
    if penalty_weight is not None and gradient_penalty == "none":
        raise ValueError("penalty_weight is for gradient_penalty=wgan_gp and r1")
    if num_classes is not None and num_classes < 2:
        raise ValueError("conditional=true is for images in classes; all of these are of one")


def _make_networks(
    architecture: str, x, image, filters: int, dense: type, normalized: bool,
    minibatch_deviation: bool,
):  # fmt: skip
    """Return what a generator of one size makes, and what a discriminator sees in images."""
    image_shape, bounded = image.shape[1:], dense is SpectralNormDense
    if architecture == "dense":
        units = 8 * filters
        seen = see_dense(image, units, dense, minibatch_deviation)
        return make_dense(x, image_shape, units), seen
    widths, attend = _find_widths(image_shape, filters, architecture), architecture == "sagan"
    seen = see_convolutional(image, widths, bounded, normalized, attend, minibatch_deviation)
    return make_convolutional(x, image_shape, widths, attend), seen


def _join(given: dict, made, seen: dict, score, features) -> keras.Model:
    """Return both networks, one after the other.

    Args:
        given: dict of str to keras.KerasTensor. The generator's inputs.
        made: keras.KerasTensor. Its images.
        seen: dict of str to keras.KerasTensor. The discriminator's inputs.
        score: keras.KerasTensor. Shape (batch, 1).
        features: keras.KerasTensor. Shape (batch, numbers).
    """
    generator = keras.Model(given, made, name="generator")
    discriminator = keras.Model(seen, {"score": score, "features": features}, name="discriminator")
    answer = discriminator(seen | {"image": generator(given)})
    return keras.Model(given, answer["score"], name="gan")


def _require_growing(
    architecture: str, growth: float | None, spectral_norm: bool, minibatch_deviation: bool
) -> None:
    """Refuse options of networks that grow where none do, and the other way round."""
    if growth is not None and architecture != "progan":
        raise ValueError("growth is for architecture=progan; no other network grows")
    if spectral_norm and architecture == "progan":
        raise ValueError("architecture=progan has equalised rates in place of spectral_norm")
    if minibatch_deviation and architecture == "progan":
        raise ValueError("architecture=progan has a minibatch_deviation of its own: leave it out")


def _make_head(dense: type, label, num_classes: int):
    """Return what makes scores (batch, 1) of features, with the class as a projection (cGANs,
    2018).
    """
    output = dense(1, name="discriminator_head", dtype="float32")
    tables = []

    def score(features):
        if label is None:
            return output(features)
        if not tables:
            tables.append(
                ClassEmbedding(num_classes, features.shape[-1], name="discriminator_class")
            )
        projected = layers.Dot(1, dtype="float32", name="discriminator_projection")(
            [features, tables[0](label)]
        )
        return layers.Add(dtype="float32", name="discriminator_score")(
            [output(features), projected]
        )

    return score


def _find_widths(image_shape: tuple[int, int, int], filters: int, architecture: str) -> list[int]:
    """Return the filters of each stage; a stage halves an image as long as it can be halved.

    Stages go on down to a side of 4, and there are at least two.
    """
    height, width, stages = *image_shape[:2], 0
    while height % 2 == width % 2 == 0 and (min(height, width) > 4 or stages < FEWEST_STAGES):
        height, width, stages = height // 2, width // 2, stages + 1
    if stages < FEWEST_STAGES or max(height, width) > LARGEST_START:
        reached = [_nearest_size(side) for side in image_shape[:2]]
        raise ValueError(
            f"images of {image_shape[0]} × {image_shape[1]} pixels cannot be made by "
            f"architecture={architecture}, which doubles small ones: bring them to {reached[0]} × "
            f"{reached[1]} (-d image_size={reached[0]},{reached[1]}), or use architecture=dense"
        )
    return [filters * min(2**stage, MOST_DOUBLED) for stage in range(stages)]


def _nearest_size(side: int) -> int:
    """Return the reachable side next to one: 2 to 7 times a power of two, at least 4 of it."""
    sizes = [start << stage for start in range(2, 8) for stage in range(2, 12)]
    return min(sizes, key=lambda size: (abs(size - side), -size))
