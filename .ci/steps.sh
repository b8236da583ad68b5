# Sourced by .ci/run: the steps that take more than one line, and their bookkeeping.

step_rows=()
failed=0

# step NAME COMMAND…: runs it with its output in a group, and notes outcome and wall time.
step() {
    local name=$1 started=$SECONDS outcome=ok
    shift
    echo "=== $name: $*"
    # A plain `if "$@"` would switch errexit off inside functions, so the step gets a shell of its own that has it.
    set +e
    (set -euo pipefail; "$@")
    local code=$?
    set -e
    if [ $code -ne 0 ]; then outcome="FAILED ($code)" failed=1; fi
    step_rows+=("$(printf '%-16s %5d s  %s' "$name" $((SECONDS - started)) "$outcome")")
    echo "--- $name: $outcome, $((SECONDS - started)) s"
}

absent() { echo "ABSENT($1)" | tee -a "$absences"; }

absences=$(mktemp)
log=$(mktemp)
executables=$(mktemp)
postgres=$(mktemp -d)
postgres_url=$(mktemp)

clean_up() {
    if [ -e "$postgres/data" ]; then .ci/postgres.sh crash "$postgres" || true; fi
    rm -rf "$absences" "$log" "$executables" "$postgres" "$postgres_url"
}
trap clean_up EXIT

summary() {
    echo "=== summary"
    printf '%s\n' "${step_rows[@]}"
    sort -u "$absences"
    echo "total            $(printf '%5d' $SECONDS) s"
    return $failed
}

set_up() {
    step set-up set_up_machine
    return $failed
}

# Mesa's driver that computes on the processor.
software_vulkan='/usr/share/vulkan/icd.d/lvp_icd.*.json'

# Nothing but that driver, whatever else is installed; and the directory that the loader asks for.
use_software_vulkan() {
    # shellcheck disable=SC2086 # a pattern
    VK_DRIVER_FILES=$(ls $software_vulkan | head -n 1)
    [ -n "${XDG_RUNTIME_DIR:-}" ] || XDG_RUNTIME_DIR=$(mktemp -d)
    export VK_DRIVER_FILES XDG_RUNTIME_DIR
}

# A server for tests of the index that several processes share; they are told of it by HOLDFAST_POSTGRES.
start_postgres() { .ci/postgres.sh start "$postgres" >"$postgres_url"; }

# Debian packages and cargo tools, each only when missing.
set_up_machine() {
    local missing=()
    command -v cc >/dev/null && command -v c++ >/dev/null || missing+=(build-essential)
    command -v valgrind >/dev/null || missing+=(valgrind)
    command -v git >/dev/null || missing+=(git)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    ls $software_vulkan >/dev/null 2>&1 || missing+=(mesa-vulkan-drivers libvulkan1)
    command -v pg_ctl >/dev/null || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || missing+=(postgresql)
    # valgrind refuses to start without the symbols of ld.so.
    [ -e /usr/lib/debug/.build-id ] || missing+=(libc6-dbg)
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    fi
    set_up_python
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "cargo-deny is missing: building it (about three minutes on two cores)"
        cargo install --locked --version 0.20.2 cargo-deny
    fi
    cargo deny --version
}

# A Python with what the tests of other people's programs and our own client package need, beside the build. Where no package
# index can be reached there is none, and that is said.
python_folder=$PWD/target/python
set_up_python() {
    python3 -m venv "$python_folder" && "$python_folder/bin/pip" install --quiet --disable-pip-version-check \
        -r tests/interop/requirements.txt -r tests/interop/requirements-parquet.txt -e 'clients/python[test]' ||
        { rm -rf "$python_folder"; absent "python: the packages of tests/interop and clients/python cannot be installed"; }
}

# The client package: types, tests, and whether its stubs are those of the .proto files.
python_client() {
    cd clients/python
    PATH=$python_folder/bin:$PATH
    python -m mypy
    python -m pytest -q
    PYTHON=$python_folder/bin/python ./generate.sh --check
}

# Every bench once, built as the tests are: whether it runs is asked here, not how fast.
benches() { cargo bench --locked --workspace --profile dev --bench '*' -- --test; }

# Licences, bans and sources always; advisories where their database can be fetched.
deny() {
    cargo deny check bans licenses sources
    if timeout 60 git ls-remote --exit-code https://github.com/RustSec/advisory-db HEAD >/dev/null 2>&1; then
        cargo deny check advisories
    else
        absent "advisories: github.com/RustSec/advisory-db cannot be reached from here"
    fi
}

# Files that a program writes (vectors, schemas, tables in documents) are compared by tests, and HOLDFAST_BLESS=1 makes
# those tests write them anew. So here every file must still be what it was when the run began.
tree_state() { git status --porcelain --untracked-files=normal; git diff HEAD | git hash-object --stdin; }

generated_files() {
    diff <(echo "$tree_before") <(tree_state) || {
        git diff --stat
        echo "the tests changed or left files: what is in the tree is not what its program writes"
        return 1
    }
}

# Undefined behaviour in portable and format code: Miri where there is one, valgrind's memcheck otherwise.
# Package, its test binary and what is run of it, one selection a line.
memory_tests=(
    "engine backend_conformance the_reference"
    "engine lib transcript:: registration:: receipt:: tree::"
    "partition lib format::"
)

memory() {
    # What is required of the machine is not required of an emulated processor.
    unset HOLDFAST_REQUIRE
    local run=under_miri
    if ! cargo miri --version >/dev/null 2>&1; then
        absent "miri: rustup has none for $(rustc --version | cut -d' ' -f2); valgrind's memcheck ran instead"
        run=under_valgrind
        # The binaries that the tests were run from: a selection of packages would build all they stand on again.
        cargo test --workspace --locked --no-run 2>&1 | tee "$executables"
    fi
    local selection
    for selection in "${memory_tests[@]}"; do
        # shellcheck disable=SC2086 # the selection is several words
        $run $selection | tee "$log"
        # A selection that matches nothing would be green for ever.
        grep -qE '^running [1-9]' "$log" || { echo "no test matches: $selection"; return 1; }
    done
}

# under_miri PACKAGE BINARY FILTER…
under_miri() {
    local package=$1 target=(--test "$2")
    if [ "$2" = lib ]; then target=(--lib); fi
    shift 2
    cargo miri test --locked -p "holdfast-$package" "${target[@]}" -- "$@"
}

# under_valgrind PACKAGE BINARY FILTER…
under_valgrind() {
    local package=$1 name=${2/#lib/holdfast_$1} binary
    shift 2
    binary=$PWD/$(grep -oE "target/debug/deps/$name-[0-9a-f]+" "$executables")
    (cd "$package" && valgrind -q --error-exitcode=99 "$binary" "$@")
}
