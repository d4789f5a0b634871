"""Recordings that tests share, and ways to damage them."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000


def tone(seconds=0.1, rate=RATE, pitch=440.0, level=0.5):
    time = np.arange(int(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def record(path: Path, samples=None, rate=RATE, **kind) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(rate=rate) if samples is None else samples, rate, **kind)
    return path


def record_ten(folder: Path) -> Path:
    """Write ten recordings with transcripts alongside them."""
    for number in range(10):
        record(folder / f"{number}.wav", tone(0.4 + 0.01 * number))
        (folder / f"{number}.txt").write_text(f"{number:04b}", encoding="utf-8")
    return folder


def cut(path: Path, share=0.7) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def damage(path: Path, how: str) -> None:
    if how == "truncated":
        cut(path)
    elif how == "no sound":
        path.write_text("hello")
    elif how == "empty":
        path.write_bytes(b"")
    else:
        record(path, np.zeros(0, np.float32))
