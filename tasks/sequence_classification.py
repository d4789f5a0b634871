"""Which class is it? Asked of a series."""

from threefold.tasks.classification import Classification
from threefold.tasks.inputs.series_inputs import SeriesInputs


class SequenceClassification(Classification, SeriesInputs):
    """Series in, the probability of every class out."""

    name = "sequence_classification"


TASK = SequenceClassification
