"""Which objects are there, and where? Asked of images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from threefold.blueprints.parts.points import locate_points, strides_of
from threefold.datasets.dataset import Source
from threefold.datasets.images.letterbox import letterbox, scale_and_offset
from threefold.tasks import graph
from threefold.tasks.boxes.assignment import assign
from threefold.tasks.boxes.baselines import fit_box_methods
from threefold.tasks.boxes.losses import LOSSES, make_loss, positive_iou
from threefold.tasks.boxes.scores import score_objects
from threefold.tasks.boxes.suppression import CERTAIN, MAX_IOU, MIN_SCORE, MOST, find_objects
from threefold.tasks.boxes.suppression_graph import find_objects_in_graph
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays

LIMIT = 1e-4  # of the network's longer side: how far an exported box may lie beside the trained one


class ObjectDetection(ImageInputs):
    """Boxes and classes; the model answers for each point of its pyramid."""

    name = "object_detection"
    losses = LOSSES
    settings = ("augment", "mixup", "mosaic")
    augmentation = ("shift", "scale", "colour")
    keeps_sizes = True
    image_output = "write_boxes"
    figures = (
        Figure(
            "boxes.worst_images",
            "The images with the most mistakes: true boxes dashed, found ones solid with their "
            "scores.",
            ("boxes",),
            ("boxes",),
        ),
        Figure(
            "boxes.precision_recall",
            "The precision of what is found, for each share of the objects that are found, where "
            "half an overlap counts.",
            ("boxes",),
            ("boxes",),
        ),
        Figure(
            "boxes.confusion",
            "True classes and found ones. Background: objects that were missed, and those found "
            "where there is none.",
            ("boxes",),
            ("boxes",),
        ),
    )
    prediction_figure = Figure(
        "boxes.found_objects", "Images, and what was found in them.", ("boxes",)
    )
    summary_metrics = (
        "mean_average_precision_50",
        "mean_average_precision",
        "mean_average_precision_75",
        "mean_average_recall",
    )
    primary_metric = "mean_average_precision"

    @property
    def network(self) -> tuple[int, int]:
        """Height and width that the network takes."""
        return self.facts.image_shape[:2]

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.class_names)}

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        images = examples["image"]
        if images.shape[1:3] != self.network:  # of any size, as they were read
            images = np.stack([letterbox(image, self.network) for image in images])
        return {"image": images.astype(np.float32, copy=False)}

    def inference_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Return images, and how boxes in them become boxes in the images as they were read."""
        sizes = [image.shape[:2] for image in examples["image"]]
        frames = [np.stack([*scale_and_offset(size, self.network), np.float32([*size[::-1]] * 2)])
                  for size in sizes]  # fmt: skip
        return self.model_inputs(examples) | {"frame": np.stack(frames)}  # (batch, 3, 4)

    def predict_fn(self, model) -> Callable[[Arrays], Any]:
        def respond(inputs: Arrays) -> Arrays:
            outputs = np.asarray(model.predict_on_batch({"image": inputs["image"]}))
            return {"outputs": outputs, "frame": inputs["frame"]}

        return respond

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what each point is to say, (batch, points, 6 + classes); see `assign`."""
        strides = strides_of(self.options["filters"], self.options["levels"])
        points = locate_points(self.network, strides)
        classes = len(self.facts.class_names)
        return assign(examples["boxes"], examples["box_class"], points, classes)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"boxes": examples["boxes"], "box_class": examples["box_class"]}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        metric = keras.metrics.MeanMetricWrapper(positive_iou, name="box_iou")
        return {"loss": make_loss(self.loss), "metrics": [metric]}

    def postprocess(self, outputs: Mapping[str, np.ndarray]) -> Arrays:
        """Return `boxes` (batch, 100, 4) in pixels of the images as they were read, `scores` and
        `class_index` (batch, 100), and `count` (batch,); see `find_objects`.
        """
        scale, offset, limit = outputs["frame"].transpose(1, 0, 2)
        return find_objects(outputs["outputs"], scale, offset, limit)

    def input_fields(self) -> tuple[Field, ...]:
        (image,) = super().input_fields()
        height, width = self.network
        meaning = image.meaning.replace(
            f"resized to {height} × {width} pixels inside",
            f"brought to {height} × {width} pixels inside, undistorted, on gray",
        )
        return (image.model_copy(update={"meaning": meaning}),)

    def output_fields(self) -> tuple[Output, ...]:
        names = self.facts.class_names
        return (
            Output(
                name="boxes",
                dtype="float32",
                shape=("batch", MOST, 4),
                meaning="left, top, right and bottom of each object in pixels of the image given, "
                "from its upper left corner; those with the best scores first, 0 after the last; "
                f"of two of a class that overlap by more than {MAX_IOU} the better one",
                limit=LIMIT,
                scale=(float(max(self.network)),) * 4,
                decided=True,
            ),
            Output(
                name="scores",
                dtype="float32",
                shape=("batch", MOST),
                meaning=f"how certain each object is, from {MIN_SCORE}; 0 after the last",
                range=(0, 1),
                limit=1e-5,
                decided=True,
            ),
            Output.index(
                "class_index",
                ("batch", MOST),
                "position of each object's class in labels.txt, from 0",
                len(names),
            ),
            Output.index("count", ("batch",), "objects that were found", MOST + 1),
        )

    def preprocess_graph(self) -> tuple[Callable, list]:
        return lambda raw: {"image": graph.letterbox(raw["image"], self.network)[0]}, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        """Return the objects in pixels of the network's image."""
        import tensorflow as tf

        height, width = self.network
        sides = tf.constant([width, height, width, height], tf.float32)
        return find_objects_in_graph(outputs, tf.ones(4), tf.zeros(4), sides)

    def serving(self, model) -> tuple[Callable, list]:
        def serve(raw):
            image, scale, offset, limit = graph.letterbox(raw["image"], self.network)
            outputs = model({"image": image}, training=False)
            return find_objects_in_graph(outputs, scale, offset, limit)

        return serve, [model]

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        return predictions["margin"] <= 2 * limit

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return the objects of each image that are certain enough to be shown: class, score, and
        the sides of the box in its pixels.
        """
        names, records = self.facts.class_names, []
        for row in range(len(predictions["count"])):
            objects = []
            for place in np.flatnonzero(predictions["scores"][row] >= CERTAIN):
                number = int(predictions["class_index"][row, place])
                sides = (round(float(side), 2) for side in predictions["boxes"][row, place])
                objects.append(
                    {
                        "class": names[number],
                        "class_index": number,
                        "score": float(predictions["scores"][row, place]),
                        **dict(zip(("left", "top", "right", "bottom"), sides, strict=True)),
                    }
                )
            records.append({"objects": objects})
        return records

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        def read(examples: Arrays):
            truth = self.truth(examples)
            return self.model_inputs(examples)["image"], truth["boxes"], truth["box_class"]

        def predict(answer: Callable[[np.ndarray], Arrays], examples: Arrays) -> Arrays:
            return answer(self.model_inputs(examples)["image"])

        methods = fit_box_methods(train, read, len(self.facts.class_names))
        return {
            name: self.evaluate_method(partial(predict, answer)) for name, answer in methods.items()
        }

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return average precision and recall as COCO does; see `score_objects`."""
        return score_objects(predictions, truth, self.facts.class_names)


TASK = ObjectDetection
