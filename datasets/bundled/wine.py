"""Chemical analyses of 178 Italian wines of three grapes (scikit-learn; Forina et al. 1986)."""

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
    """Load the wines.

    Returns:
        Dataset. 13 numeric columns in their own units, and `label`: which grape.
    """
    from sklearn.datasets import load_wine

    bunch = load_wine(as_frame=True)
    # scikit-learn numbers the grapes; their names are those of the original study.
    grapes = bunch.target.map({0: "barolo", 1: "grignolino", 2: "barbera"})
    return from_table(
        table_of(bunch.data.assign(grape=grapes), "wine"),
        "wine",
        column_roles=ColumnRoles(target=("grape",)),
        split_fractions=split_fractions,
    )
