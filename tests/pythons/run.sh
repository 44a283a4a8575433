#!/usr/bin/env bash
# Installs and loads with each Python that pyproject.toml claims and this machine has, two at once.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
claimed=$(sed -n 's/.*Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)

# pyenv's shims stand on the path for versions that are installed, but not chosen
interpreter() {
    local name path
    name=$(PYENV_VERSION='' pyenv versions --bare 2>/dev/null | grep "^$1\." | tail -1)
    if [ -n "$name" ]; then path=$(PYENV_VERSION=$name pyenv which python); else path=$(command -v "python$1"); fi
    "$path" -c 'import sys; print(sys.executable)' 2>/dev/null
}

smoke() {
    local venv="$root/build/pythons/$1"
    if ! [ "$venv/.ready" -nt requirements.txt ] || ! [ "$venv/.ready" -nt pyproject.toml ]; then
        rm -rf "$venv" && "$2" -m venv "$venv" || return 1
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
            --constraint requirements.txt "$(echo "$wheels"/*.whl)[emulator]" setuptools || return 1
        "$venv/bin/python" -m pip uninstall -qq --yes dlt-bunce || return 1
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
            --no-deps --no-build-isolation -e "$root" || return 1
        touch "$venv/.ready"
    fi
    env -u PYTHONPATH "$venv/bin/python" -W error::DeprecationWarning:dlt_bunce tests/pythons/smoke.py
}

# built once: two builds at a time would share a folder
wheels="$root/build/pythons/wheels"
wheel() {
    rm -rf "$wheels" && "$1" -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir "$wheels" "$root"
}

there=() absent=()
for version in $claimed; do
    path=$(interpreter "$version")
    if [ -n "$path" ]; then there+=("$version $path"); else absent+=("$version"); fi
done
[ ${#absent[@]} = 0 ] || echo "Not on this machine, so not run: Python ${absent[*]}" >&2
if [ ${#there[@]} = 0 ]; then
    echo "No Python that pyproject.toml claims is here." >&2
    exit 1
fi
failed=0
wheel "${there[0]#* }" || exit 1
for ((i = 0; i < ${#there[@]}; i += 2)); do
    pids=()
    for one in "${there[@]:i:2}"; do
        smoke "${one%% *}" "${one#* }" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
done
exit $failed
