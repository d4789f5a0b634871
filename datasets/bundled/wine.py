"""Chemical analyses of 178 Italian wines of three grapes (scikit-learn; Forina et al. 1986)."""

from threefold.datasets.dataset import Dataset
from threefold.datasets.tables.column_roles import ColumnRoles, SplitFractions
from threefold.datasets.tables.labeled_tables import from_table
from threefold.datasets.tables.table_files import table_of

TASK = "tabular_classification"


def load(
    *, validation_fraction: float = 0.15, test_fraction: float = 0.2, split_seed: int = 0
) -> Dataset:
    """Load the wines.

    Args:
        validation_fraction: float. Share of the rows kept for validation.
        test_fraction: float. Share of the rows kept for the test.
        split_seed: int. Which seeded, stratified division into splits.

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
        split_fractions=SplitFractions(validation_fraction, test_fraction, split_seed),
    )
