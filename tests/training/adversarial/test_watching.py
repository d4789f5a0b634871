"""A training of a generator shows itself: frames, a moving picture, and a warning of a collapse."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from threefold.training.backend import choose_backend

pytestmark = pytest.mark.each_backend

choose_backend()
FIT = ("fit", "gan", "-o", "filters=2", "-o", "latent_dim=4", "--epochs", "6")


def test_frames_of_the_same_noise_become_a_moving_picture(run_cli, tmp_path):
    run = tmp_path / "run"
    given = ("-o", "architecture=progan", "-o", "growth=1", "--run", str(run))
    code, _, err = run_cli(*FIT, *given)
    assert code == 0, err
    frames = sorted((run / "samples").iterdir())
    assert [frame.name for frame in frames] == [f"epoch-{n:05d}.png" for n in range(1, 7)]
    arrays = [np.asarray(Image.open(frame)) for frame in frames]
    assert {array.shape for array in arrays} == {(71, 71)}  # 8 rows of 8 pixels, lines between
    first = arrays[0][:8, :8]  # the smallest size, enlarged
    np.testing.assert_array_equal(first, first[::4, ::4].repeat(4, axis=0).repeat(4, axis=1))
    assert len(np.unique(arrays[-1][:8, :8])) > 4
    film = Image.open(io.BytesIO((run / "report" / "training.gif").read_bytes()))
    assert film.n_frames == 6
    assert "data:image/gif;base64," in (run / "report" / "index.html").read_text()


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_planted_collapse_is_warned_of_and_advised_on(run_cli, tmp_path):
    """A generator whose rate is so small that it hardly learns makes images that are all alike."""
    given = ("--learning-rate", "1e-9", "--json", "--run", str(tmp_path / "run"))
    code, out, err = run_cli(*FIT, *given)
    assert code == 0, err
    assert err.count("generated images are alike: in the last 5 epochs") == 1
    assert json.loads(out)["epochs"] == 6
