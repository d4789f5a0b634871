import pytest


@pytest.fixture
def csv(tmp_path):
    """Write a frame or text and return its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        text = content if isinstance(content, str) else content.to_csv(index=False)
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    return write
