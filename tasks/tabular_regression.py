"""How much is it? Asked of the rows of a table."""

from threefold.tasks.inputs.table_inputs import TableInputs
from threefold.tasks.regression import Regression


class TabularRegression(Regression, TableInputs):
    """Table rows in, one number or several out."""

    name = "tabular_regression"


TASK = TabularRegression
