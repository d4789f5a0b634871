"""What all figures share: colours, style, size, headings, and text that is shown as it is."""

from matplotlib.figure import Figure

# From the palette of Okabe and Ito, whose colours colour-blind people distinguish.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
GRAY, PALE = "#6B6B6B", "#BBD7E8"

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial Unicode MS", "Noto Sans", "Noto Sans CJK JP"],
    "font.size": 10,
    "text.color": "#222222",
    "axes.labelcolor": "#222222",
    "axes.edgecolor": GRAY,
    "axes.facecolor": "white",
    "axes.titlesize": 11,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#E6E6E6",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "figure.facecolor": "white",
    "legend.frameon": False,
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches, that keeps texts apart and inside."""
    figure = Figure(figsize=(width, height), layout="constrained")
    # The padding alone is not kept where an axis must be as high as it is wide.
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08, rect=(0.015, 0, 0.97, 1))
    return figure


def head(figure: Figure, text: str) -> None:
    """Write the heading of a figure."""
    figure.suptitle(text, x=0.02, ha="left", fontsize=11)


def plain(text: str, width: int = 60) -> str:
    """Return text that matplotlib shows as it is: in one line, short, and never read as TeX."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > width:
        kept = width - 1
        line = f"{line[: kept - kept // 2]}…{line[-(kept // 2) :]}"
    return line.replace("$", r"\$")
