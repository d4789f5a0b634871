"""Every family, cut and resumed, ends with the same bits as if it never was."""

import pytest
from cells import CELLS
from resuming import cut_and_resume

from threefold.training import fit as fitting
from threefold.training.settings import TrainingSettings


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.blueprint != "cnn"], ids=str)
def test_every_family_ends_with_the_same_bits(cell, tmp_path, monkeypatch):
    reference, data = cell.data(tmp_path)

    def wanted(name):
        return fitting.Command(
            blueprint=cell.blueprint,
            task=cell.task,
            dataset=reference,
            data_options=data,
            options=cell.options,
            settings=TrainingSettings.parse({"epochs": "3", "batch_size": "8"}),
            run=str(tmp_path / name),
        )

    cut_and_resume(wanted, tmp_path, monkeypatch)
