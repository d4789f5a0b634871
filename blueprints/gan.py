"""Generative adversarial networks: a generator makes images that a discriminator takes for real.

The family for images that are sharp and made in one pass, from a thousand examples on. The
defaults are the steady ones; `--recipe` sets a paper's choices together.

Sources: Goodfellow et al. 2014 for the game and the `dense` networks; Radford et al. 2016 for
`dcgan`; Zhang et al. 2019 for `sagan`; Mirza and Osindero 2014 and Miyato and Koyama 2018 for
classes; Yu et al. 2019 for images with holes; the papers of losses and penalties stand where those
are built.
"""

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import Field

from threefold.blueprints.parts.adversarial.config import AdversarialConfig
from threefold.blueprints.parts.adversarial.inpainting import make_discriminator, make_generator
from threefold.blueprints.parts.adversarial.layers import (
    ClassEmbedding,
    SelfAttention,
    SpectralNormConv2D,
    SpectralNormDense,
)
from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM
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
    "cgan": {
        "options": {"architecture": "dense", "gradient_penalty": "none", "conditional": True},
        "settings": {"learning_rate": 2e-4},
    },
}  # fmt: skip

PENALTY_WEIGHT = 10.0  # both papers'
WEIGHT_LIMIT = 0.01  # Arjovsky et al. 2017, for a critic that nothing else bounds
LARGEST_START = 15  # pixels that a generator may begin with
FEWEST_STAGES = 2
SLOPE = 0.2  # of leaky units below 0

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    architecture: Literal["dense", "dcgan", "sagan"] = "dcgan",
    loss: Literal["standard", "least_squares", "hinge", "wasserstein"] = "standard",
    gradient_penalty: Literal["none", "wgan_gp", "r1"] = "r1",
    penalty_weight: Weight | None = None,
    spectral_norm: bool = False,
    feature_matching: Weight = 0.0,
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
            with self-attention, and spectral_norm in both networks.
        loss: str. `standard` (not saturating), `least_squares`, `hinge`, or `wasserstein`, whose
            critic's weights are clipped to 0.01 unless a penalty or spectral_norm bounds it.
        gradient_penalty: str. `none`; `wgan_gp`: slope 1 between real and generated images; `r1`:
            no slope at real ones.
        penalty_weight: float. Weight of the gradient penalty, of which `r1` takes half; 10 by
            default.
        spectral_norm: bool. Whether the discriminator's kernels have a largest singular value of 1.
        feature_matching: float. Weight of the distance of mean features in the generator's loss.
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
    use_spectral_norm = spectral_norm or architecture == "sagan"
    clipped = loss == "wasserstein" and gradient_penalty == "none" and not use_spectral_norm
    noise = keras.Input((latent_dim,), name="noise")
    image = keras.Input(image_shape, name="image")
    labels = {"label": keras.Input((), dtype="int32", name="label")} if conditional else {}
    x = noise
    if conditional:
        vector = ClassEmbedding(num_classes, latent_dim, name="generator_class")(labels["label"])
        x = layers.Concatenate(name="generator_input")([noise, vector])
    if architecture == "dense":
        fake_image = _make_dense(x, image_shape, 8 * filters)
        features = _see_dense(image, 8 * filters, use_spectral_norm)
    else:
        widths = _find_widths(image_shape, filters, architecture)
        attend = architecture == "sagan"
        fake_image = _make_convolutional(x, image_shape, widths, attend)
        # Averages over a batch would tie the images together that a penalty takes one by one.
        normalized = gradient_penalty == "none" and not use_spectral_norm
        features = _see_convolutional(image, widths, use_spectral_norm, normalized, attend)
    score = _score(features, labels.get("label"), num_classes, use_spectral_norm)
    generator = keras.Model({"noise": noise, **labels}, fake_image, name="generator")
    discriminator = keras.Model(
        {"image": image, **labels}, {"score": score, "features": features}, name="discriminator"
    )
    made = generator({"noise": noise, **labels})
    outputs = discriminator({"image": made, **labels})["score"]  # (batch, 1)
    model = keras.Model({"noise": noise, **labels}, outputs, name="gan")
    model.adversarial_config = AdversarialConfig(
        loss=loss,
        gradient_penalty=gradient_penalty,
        penalty_weight=PENALTY_WEIGHT if penalty_weight is None else penalty_weight,
        weight_limit=WEIGHT_LIMIT if clipped else None,
        feature_matching=feature_matching,
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
        penalty_weight=0.0,
        weight_limit=None,
        feature_matching=0.0,
        critic_steps=1,
        augment=(),
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


def _score(features, label, num_classes: int, use_spectral_norm: bool):
    """Return the score (batch, 1) of features, with the class as a projection (cGANs, 2018)."""
    score = _dense(1, use_spectral_norm, name="discriminator_head", dtype="float32")(features)
    if label is None:
        return score
    table = ClassEmbedding(num_classes, features.shape[-1], name="discriminator_class")
    projected = layers.Dot(1, dtype="float32", name="discriminator_projection")(
        [features, table(label)]
    )
    return layers.Add(dtype="float32", name="discriminator_score")([score, projected])


def _make_dense(x, image_shape: tuple[int, int, int], units: int):
    for step in (1, 2):
        x = layers.Dense(units, kernel_initializer="he_normal", name=f"generator_dense_{step}")(x)
        x = layers.LeakyReLU(SLOPE, name=f"generator_activation_{step}")(x)
    height, width, channels = image_shape
    x = layers.Dense(height * width * channels, name="generator_pixels")(x)
    x = layers.Reshape(image_shape, name="generator_reshape")(x)
    return layers.Activation("tanh", dtype="float32", name="generator_image")(x)


def _see_dense(image, units: int, use_spectral_norm: bool):
    x = layers.Flatten(name="discriminator_flatten")(image)
    for step in (1, 2):
        x = _dense(units, use_spectral_norm, name=f"discriminator_dense_{step}")(x)
        x = layers.LeakyReLU(SLOPE, name=f"discriminator_activation_{step}")(x)
    return x  # (batch, units)


def _make_convolutional(x, image_shape: tuple[int, int, int], widths: list[int], attend: bool):
    """Build the generator, from the smallest image, of `widths[-1]` channels, to the whole."""
    height, width, channels = image_shape
    start = (height >> len(widths), width >> len(widths), widths[-1])
    x = _dense(start[0] * start[1] * start[2], attend, name="generator_start")(x)
    x = layers.Reshape(start, name="generator_reshape")(x)
    x = _normalize(x, "generator", 0)
    for stage, filters in enumerate(reversed([channels, *widths[:-1]]), 1):
        last = stage == len(widths)
        if attend:  # no kernel of a transposed convolution is bounded: larger, then convolved
            x = layers.UpSampling2D(name=f"generator_larger_{stage}")(x)
            x = SpectralNormConv2D(filters, 3, padding="same", name=f"generator_conv_{stage}")(x)
        else:
            x = layers.Conv2DTranspose(
                filters, 4, strides=2, padding="same", use_bias=last, name=f"generator_conv_{stage}"
            )(x)  # (batch, 2 × height, 2 × width, filters)
        if not last:
            x = _normalize(x, "generator", stage)
        if attend and stage == len(widths) - 1:
            x = SelfAttention(name="generator_attention")(x)
    return layers.Activation("tanh", dtype="float32", name="generator_image")(x)


def _see_convolutional(
    image, widths: list[int], use_spectral_norm: bool, normalized: bool, attend: bool
):
    x = image
    for stage, filters in enumerate(widths, 1):
        layer = SpectralNormConv2D if use_spectral_norm else layers.Conv2D
        x = layer(filters, 4, strides=2, padding="same", name=f"discriminator_conv_{stage}")(x)
        if normalized and stage > 1:
            x = layers.BatchNormalization(
                momentum=BATCH_NORM_MOMENTUM, name=f"discriminator_norm_{stage}"
            )(x)
        x = layers.LeakyReLU(SLOPE, name=f"discriminator_activation_{stage}")(x)
        if attend and stage == 1:
            x = SelfAttention(name="discriminator_attention")(x)
    return layers.Flatten(name="discriminator_features")(x)


def _normalize(x, network: str, stage: int):
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{network}_norm_{stage}")(x)
    return layers.Activation("relu", name=f"{network}_activation_{stage}")(x)


def _dense(units: int, use_spectral_norm: bool, **kwargs):
    return (SpectralNormDense if use_spectral_norm else layers.Dense)(units, **kwargs)


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
    return [filters * min(2**stage, 16) for stage in range(stages)]


def _nearest_size(side: int) -> int:
    """Return the reachable side next to one: 2 to 7 times a power of two, at least 4 of it."""
    sizes = [start << stage for start in range(2, 8) for stage in range(2, 12)]
    return min(sizes, key=lambda size: (abs(size - side), -size))
