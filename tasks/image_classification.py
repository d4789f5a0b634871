"""Which class is it? Asked of images."""

from collections.abc import Mapping

import numpy as np

from threefold.tasks.classification import Classification
from threefold.tasks.inputs.image_inputs import ImageInputs


class ImageClassification(Classification, ImageInputs):
    """Images in, the probability of every class out."""

    name = "image_classification"
    settings = (*Classification.settings, *ImageInputs.settings)
    augmentation = ("shift",)
    averages_views = True
    activation_maps = True

    def explained_outputs(self, predictions: Mapping[str, np.ndarray]) -> np.ndarray:
        return predictions["label_index"]


TASK = ImageClassification
