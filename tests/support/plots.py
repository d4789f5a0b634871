"""A figure of an evaluation by its name alone, as tests speak of it."""

from threefold.reporting.figures import plotting


def plot(name, evaluation):
    """Plot the figure of that name among those that the evaluation's task lists."""
    (figure,) = [figure for figure in evaluation.task.figures if figure.name == name]
    return plotting.plot(figure, evaluation)
