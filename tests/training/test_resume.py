"""A run that is cut and resumed ends with the same bits as one that never was."""

import pytest
from cells import SMALL
from resuming import cut_and_resume

from threefold.training import fit as fitting
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

FEW = {"test_fraction": "0.1", "validation_fraction": "0.7"}  # 360 images to train on


VARIANTS = {
    "plain": ({}, {"filters": "4", "dense_units": "8"}),
    "averaged": ({"ema": "0.9", "optimizer": "adam", "augment": "mixup,cutout"}, {"filters": "4"}),
    "counted": (
        {"schedule": "plateau", "patience": "2", "optimizer": "nesterov", "loss": "focal"}
        | {"class_weights": "balanced", "label_smoothing": "0.1"},
        {"filters": "4", "normalization": "none"},
    ),
    "half": ({"precision": "mixed_float16", "optimizer": "muon"}, {"filters": "4"}),
    "lars": ({"precision": "mixed_bfloat16", "optimizer": "lars"}, {"filters": "4"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cut_in_mid_epoch_and_resumed_ends_with_the_same_bits(variant, tmp_path, monkeypatch):
    settings, options = VARIANTS[variant]

    def wanted(name):
        return fitting.Command(
            blueprint="cnn",
            task=None,
            dataset=None,
            data_options=FEW,
            options=options,
            settings=TrainingSettings.parse({"epochs": "3", "batch_size": "64"} | settings),
            run=str(tmp_path / name),
        )

    cut_and_resume(wanted, tmp_path, monkeypatch)


@pytest.mark.variant
def test_what_is_combined_of_several_images_is_the_same_after_a_cut(tmp_path, monkeypatch):
    settings = {"epochs": "3", "batch_size": "8", "augment": "scale,mosaic,mixup"}

    def wanted(name):
        return fitting.Command(
            blueprint="detector",
            task=None,
            dataset=None,
            data_options={"scenes": "40"},
            options=SMALL["detector"],
            settings=TrainingSettings.parse(settings),
            run=str(tmp_path / name),
        )

    cut_and_resume(wanted, tmp_path, monkeypatch)
