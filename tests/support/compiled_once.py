"""One compiled model for several fits of one command: compiling costs far more than training."""

from typing import Any

import numpy as np

from threefold.training import fit as fitting
from threefold.training import loop, state
from threefold.training.backend import seed_everything, seed_process
from threefold.training.building import bind_task, build_model, build_network
from threefold.training.checkpoints import load_checkpoint
from threefold.training.loop import compile_model


class CompiledOnce:
    """Stands in for building, compiling and asking a model, from the second time on.

    A model that was built before gets the whole state that it had when it was new: weights, seeds,
    optimizer. What it then answers is what a new one would, without tracing anything again.

    Example:
        >>> with pytest.MonkeyPatch.context() as patch:
        ...     CompiledOnce().stand_in(patch)
        ...     fitting.start(command, quiet)
        ...     fitting.start(command, quiet)
    """

    def __init__(self):
        self._built: Any = None
        self._compiled: Any = None
        self._new: dict[str, list[tuple[Any, np.ndarray]]] = {}
        self._predict_fn: Any = None

    @property
    def model(self):
        """The model as its blueprint made it."""
        return self._built

    def stand_in(self, patch) -> None:
        """Let fits use this model.

        Args:
            patch: pytest.MonkeyPatch. Takes it back.
        """
        patch.setattr(fitting, "build_network", self._build_network)
        patch.setattr(fitting, "build_model", self._build_model)
        patch.setattr(fitting, "seed_everything", self._seed)
        patch.setattr(fitting, "bind_task", self._bind)
        patch.setattr(loop, "compile_model", self._compile)

    def rebuild(self, run, precision: str):
        """Return what `building.rebuild_model` would: the model with a run's best weights."""
        assert precision == run.record.settings.precision
        state.restore_weights(self.model, load_checkpoint(run.checkpoints, "best")[0])
        return self.model, self._bind(run.record)

    def _seed(self, seed: int) -> None:
        (seed_everything if self._built is None else seed_process)(seed)

    def _bind(self, record):
        task = bind_task(record)
        make = task.predict_fn

        def predict_fn(model):
            if model is not self._built:
                return make(model)
            if self._predict_fn is None:
                self._predict_fn = make(model)
            return self._predict_fn

        task.predict_fn = predict_fn
        return task

    def _build_network(self, *given):
        return self._build(lambda: build_network(*given))

    def _build_model(self, *given):
        return self._build(lambda: build_model(*given)[0]), {}

    def _build(self, make):
        if self._built is None:
            self._built = make()
            self._keep("model", self._built.variables)
        self._renew("model")
        return self._built

    def _compile(self, *given):
        if self._compiled is None:
            self._compiled = compile_model(*given)
            self._keep("optimizer", self._compiled.optimizer.variables)
            self._keep("compiled", self._compiled.variables)
        self._renew("optimizer")
        self._compiled.stop_training = False
        return self._compiled

    def _keep(self, part: str, variables) -> None:
        self._new[part] = [(v, state._numpy(v)) for v in variables]

    def _renew(self, part: str) -> None:
        for variable, array in self._new[part]:
            variable.assign(array)
