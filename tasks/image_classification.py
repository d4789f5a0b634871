"""Which class is it? Asked of pictures."""

from threefold.tasks.classification import Classification
from threefold.tasks.inputs.image_inputs import ImageFeatures


class ImageClassification(Classification, ImageFeatures):
    """Pictures in, the probability of every class out."""

    name = "image_classification"
    augmentation = ("shift", "rotate")


TASK = ImageClassification
