"""A display that shows nothing, for machines without pytest too."""


class Quiet:
    """A display that shows nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def batch(self, epoch, step, logs):
        pass

    def epoch(self, row, improved):
        pass


def quiet(run, dataset, model):
    return Quiet()
