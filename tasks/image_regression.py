"""How much is it? Asked of pictures."""

from threefold.tasks.inputs.image_inputs import ImageFeatures
from threefold.tasks.regression import Regression


class ImageRegression(Regression, ImageFeatures):
    """Pictures in, one number or several out."""

    name = "image_regression"


TASK = ImageRegression
