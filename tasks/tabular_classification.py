"""Which class is it? Asked of the rows of a table."""

from threefold.tasks.classification import Classification
from threefold.tasks.inputs.table_inputs import TableInputs


class TabularClassification(Classification, TableInputs):
    """Table rows in, the probability of every class out."""

    name = "tabular_classification"


TASK = TabularClassification
