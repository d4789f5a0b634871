"""Types of the options that several blueprints share; pydantic checks what a user gives."""

from typing import Annotated, Literal

from pydantic import Field

Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Cell = Literal["simple", "lstm", "gru"]
Activation = Literal["relu", "sigmoid", "tanh", "leaky_relu", "elu", "gelu", "silu"]
