"""Cell nuclei of 569 breast tumours, benign or malignant (scikit-learn; Wolberg et al. 1995)."""

from threefold.datasets.dataset import Dataset
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import ColumnRoles
from threefold.datasets.tables.labeled_tables import from_table
from threefold.datasets.tables.table_files import table_of

TASK = "tabular_classification"


def load(
    *,
    split_fractions: SplitFractions = SplitFractions(test_fraction=0.2),
) -> Dataset:
    """Load the tumours.

    Returns:
        Dataset. 30 numeric columns that measure the nuclei, and `label`.
    """
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    diagnosis = bunch.target.map(dict(enumerate(bunch.target_names)))
    return from_table(
        table_of(bunch.data.assign(diagnosis=diagnosis), "breast_cancer"),
        "breast_cancer",
        column_roles=ColumnRoles(target=("diagnosis",)),
        split_fractions=split_fractions,
    )
