#!/usr/bin/env bash
# Writes the stubs under holdfast/v1 from ../../service/proto. `generate.sh --check` fails if they are not what it would write.
# Needs the extra `test` of this package (grpcio-tools, mypy-protobuf).
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
plugins=$(dirname "$(command -v "$python")")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$python" -m grpc_tools.protoc -I ../../service/proto \
    --plugin=protoc-gen-mypy="$plugins/protoc-gen-mypy" --plugin=protoc-gen-mypy_grpc="$plugins/protoc-gen-mypy_grpc" \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
    ../../service/proto/holdfast/v1/*.proto
touch "$out/holdfast/v1/__init__.py"
if [ "${1:-}" = --check ]; then
    diff -r -x __pycache__ "$out/holdfast/v1" holdfast/v1 || { echo "the stubs are stale: run clients/python/generate.sh"; exit 1; }
else
    mkdir -p holdfast/v1
    cp "$out"/holdfast/v1/* holdfast/v1/
fi
