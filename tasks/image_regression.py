"""How much is it? Asked of images."""

from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.regression import Regression


class ImageRegression(Regression, ImageInputs):
    """Images in, one number or several out."""

    name = "image_regression"
    settings = ImageInputs.settings
    averages_views = True
    activation_maps = True


TASK = ImageRegression
