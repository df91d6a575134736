#!/bin/sh
# Makes the environment: setup.sh PYTHON VENV STAMP. Says in one line how long it took.
set -eu
python=$1 venv=$2 stamp=$3
start=$(date +%s)

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "swell needs Python 3.10 or newer, and '$python' is not one. Name one: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
    echo "making $venv with $("$python" --version)"
    "$python" -m venv "$venv" || {
        echo "'$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi
version=$(sed 's/.*==//' tests/tutorials.txt)
# The tutorials in Metaflow's package are run by the tests. They lie apart, without what they
# depend on, so that nothing of ours can import them.
# uv installs in seconds what takes pip a minute; pip is the way where uv cannot be had.
if "$venv/bin/uv" --version >/dev/null 2>&1 || "$venv/bin/pip" install -q uv; then
    "$venv/bin/uv" pip install -q --compile-bytecode --python "$venv/bin/python" -c constraints.txt -e '.[test,examples]'
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps \
        --target "build/metaflow-$version" -r tests/tutorials.txt
else
    "$venv/bin/pip" install -q -c constraints.txt -e '.[test,examples]'
    "$venv/bin/pip" install -q --no-deps --target "build/metaflow-$version" -r tests/tutorials.txt
fi
rm -f "$venv"/.ready-*
touch "$stamp"
echo "ok    set-up    $(($(date +%s) - start)) s"
