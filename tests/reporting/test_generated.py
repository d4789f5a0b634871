"""Images that were made, in files."""

import numpy as np
import pytest

from threefold.reporting.generated import write_images


@pytest.mark.parametrize(
    "names",
    [("..", "__", "."), ("a/b", "a_b", "A_B"), ("/etc", "etc"), ("../../x", "x\\y", "\x1b[31m"),
     ("cat", "dog", None)],
)  # fmt: skip
def test_every_class_has_a_folder_of_its_own_inside_the_output(tmp_path, names):
    image = np.zeros((2, 2, 1), np.uint8)
    place = tmp_path / "deep" / "made"
    write_images(place, [{"image": image, "class": name} for name in names * 2])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2 * len(names) and all(path.is_relative_to(place) for path in files)
    assert all(len(path.relative_to(place).parts) <= 2 for path in files)
    assert len({path.parent for path in files}) == len(names)
