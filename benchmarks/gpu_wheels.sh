#!/bin/sh
# Fetch, as wheels, what a machine with a GPU lacks that has PyTorch, JAX, NumPy, pandas, SciPy,
# scikit-learn, Pillow, matplotlib and rich, but neither Keras nor a network; say how to run there.
#
#     PIP="python -m pip" sh benchmarks/gpu_wheels.sh
#
# TensorFlow, KerasHub, pyarrow, soundfile and vega-datasets are left out: what gpu.py measures
# imports none of them; ml_dtypes comes with JAX. Versions are those of constraints.txt. More than
# 60 MB is an error: the wheels travel with the code.
set -eu
cd "$(dirname "$0")/.."
FOLDER=.gpu-wheels
MOST=60000000
PACKAGES="absl-py annotated-types click docstring_parser h5py keras namex optree packaging
pydantic pydantic_core rapidfuzz rich-click tokenizers typing-inspection typing_extensions"

rm -rf "$FOLDER"
mkdir "$FOLDER"
wanted=""
for package in $PACKAGES; do
    pin=$(grep -i "^$package==" constraints.txt) || { echo "$package is not pinned" >&2; exit 1; }
    wanted="$wanted $pin"
done
platforms=""
for tag in manylinux2014 manylinux_2_17 manylinux_2_24 manylinux_2_26 manylinux_2_27 manylinux_2_28; do
    platforms="$platforms --platform ${tag}_x86_64"
done
# shellcheck disable=SC2086  # lists of words
${PIP:-python3 -m pip} download --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --python-version 3.12 --implementation cp $platforms --dest "$FOLDER" $wanted

size=$(cat "$FOLDER"/*.whl | wc -c)
echo "$(ls "$FOLDER" | wc -l) wheels, $((size / 1000000)) MB, in $FOLDER"
if [ "$size" -gt "$MOST" ]; then
    echo "more than $((MOST / 1000000)) MB" >&2
    exit 1
fi
cat <<'END'
On the machine, in the root of the checkout:

    python -m pip install --no-deps --no-index --target /tmp/gpu-packages .gpu-wheels/*.whl
    ln -sfn "$PWD" /tmp/gpu-packages/threefold
    export PYTHONPATH=/tmp/gpu-packages
    python benchmarks/gpu.py --backend torch --output /tmp/gpu-torch
    python benchmarks/gpu.py --backend jax --output /tmp/gpu-jax
END
