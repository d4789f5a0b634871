"""Every cell, cut and resumed, ends with the same bits as if it never was."""

import signal

import pytest
from displays import quiet
from resuming import assert_same_run, cut_at, final_state

from threefold.training import fit as fitting
from threefold.training.callbacks import Interrupted

pytestmark = pytest.mark.each_backend


@pytest.mark.at_home
@pytest.mark.leads
def test_a_cut_run_ends_with_the_same_bits(cell, monkeypatch):
    """The leading cell of a blueprint goes on with a model that is built and compiled anew."""
    whole, command = cell.whole, cell.command("cut")
    with monkeypatch.context() as patch:
        cell.compiled.stand_in(patch)
        cut_at(patch, epoch=1, step=2)
        with pytest.raises(Interrupted) as stopped:
            fitting.start(command, quiet)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    _, content = final_state(command.run)
    assert (content["epoch"], content["step"]) == (1, 3)
    with monkeypatch.context() as patch:
        if not cell.cell.leads:
            cell.compiled.stand_in(patch)
        fitting.resume(command.run, None, quiet)
    assert_same_run(whole.folder, command.run)
