"""Programs that ask a model of images and recordings, or for images."""

import io
import wave
from collections.abc import Mapping

import numpy as np

from threefold.core.image_grids import encode
from threefold.exporting.examples.parts import LABELS, Parts, literal, print_answer
from threefold.tasks.task import Task

IMAGE, MASK, SOUND = "example.png", "example_mask.png", "example.wav"
LOUDEST = 32767  # of 16 bits
Examples = Mapping[str, np.ndarray]


def begin_with_image(task: Task, example: Examples) -> Parts:
    """Return how an image file is answered."""
    pixels = np.clip(np.rint(example["image"][0]), 0, 255).astype(np.uint8)
    files = {IMAGE: encode(pixels)}
    gray = pixels.shape[-1] == 1
    mode, axes = ("L", "None, ..., None") if gray else ("RGB", "None")
    if task.input_reader:  # a mask comes along
        files[MASK] = encode(255 * task.raw_inputs(example)["mask"][0, ..., None])
        return _complete_image(mode, axes, files)
    label = ""
    if "label" in {field.name for field in task.input_fields()}:  # its place in labels.txt
        label = f', "label": np.array([{int(example["label"][0])}], np.int64)'
    code = f"""# Of any size: the model resizes it.
image = Image.open(here / "{IMAGE}").convert("{mode}")
answers = predict({{"image": np.asarray(image)[{axes}]{label}}})
{print_answer(task)}"""
    return Parts(code, ("from PIL import Image",), ("Pillow",), files)


def _complete_image(mode: str, axes: str, files: dict[str, bytes]) -> Parts:
    """Return how an image file is completed, where another one is white."""
    code = f"""# Both of any size: the model resizes them.
image = Image.open(here / "{IMAGE}").convert("{mode}")
mask = Image.open(here / "{MASK}").convert("L")
hole = (np.asarray(mask) > 127).astype(np.uint8)
answers = predict({{"image": np.asarray(image)[{axes}], "mask": hole[None]}})

pixels = answers["completed"][0].round().clip(0, 255).astype(np.uint8)
path = Path(tempfile.gettempdir(), "completed.png")
Image.fromarray(pixels.squeeze()).save(path)
print(f"completed: {{path}}")
"""
    return Parts(code, ("import tempfile", "from PIL import Image"), ("Pillow",), files)


def make_image(task: Task, example: Examples) -> Parts:
    """Return how an image is made, of chance and perhaps a class."""
    fields = {field.name: field for field in task.input_fields()}
    (_, size), label, what = fields["noise"].shape, "", "image"
    head = ""
    if "label" in fields:
        head = f"{LABELS}label = {literal(' '.join(task.facts.class_names[0].split()))}\n"
        label = '    "label": np.array([labels.index(label)], np.int64),\n'
        what = "image of {label}"
    code = f"""{head}answers = predict({{
    "noise": np.random.default_rng(0).standard_normal((1, {size}), np.float32),
{label}}})

pixels = answers["image"][0].round().clip(0, 255).astype(np.uint8)
path = Path(tempfile.gettempdir(), "generated.png")
Image.fromarray(pixels.squeeze()).save(path)
print(f"{what}: {{path}}")
"""
    return Parts(code, ("import tempfile", "from PIL import Image"), ("Pillow",))


def begin_with_recording(task: Task, example: Examples) -> Parts:
    """Return how a recording gets its transcript."""
    samples = np.clip(np.rint(example["samples"][0] * (LOUDEST + 1)), -LOUDEST - 1, LOUDEST)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(task.facts.rate)
        sound.writeframes(samples.astype("<i2").tobytes())
    code = f"""# Of one channel, 16 bits, {task.facts.rate:,} samples a second.
with wave.open(str(here / "{SOUND}")) as sound:
    samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
samples = samples.astype(np.float32) / {LOUDEST + 1}
answers = predict({{"samples": samples[None], "lengths": np.array([len(samples)], np.int64)}})

alphabet = json.loads((here / "alphabet.json").read_text(encoding="utf-8"))
print("".join(alphabet[symbol - 1] for symbol in answers["symbols"][0] if symbol))
"""
    return Parts(code, ("import json", "import wave"), files={SOUND: file.getvalue()})
