"""Progression of diabetes a year on, of 442 patients (scikit-learn; Efron et al. 2004)."""

from threefold.datasets.dataset import Dataset
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import ColumnRoles
from threefold.datasets.tables.labeled_tables import from_table
from threefold.datasets.tables.table_files import table_of

TASK = "tabular_regression"


def load(
    *,
    split_fractions: SplitFractions = SplitFractions(test_fraction=0.2),
) -> Dataset:
    """Load the patients.

    Returns:
        Dataset. 10 numeric columns in their own units (`sex` is 1 or 2), and `target`: the
        measure of progression, 25 to 346.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    return from_table(
        table_of(bunch.data.assign(progression=bunch.target), "diabetes"),
        "diabetes",
        column_roles=ColumnRoles(target=("progression",)),
        split_fractions=split_fractions,
        task=TASK,
    )
