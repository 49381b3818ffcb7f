# shellcheck shell=bash
# What `Tests/Chaos/run` and `Tests/Walk/run` share: they build programs and play with them in a folder of their own.

# play SCRIPT PRODUCT…: builds those products, debug or, with `is_release`, as they are shipped, or takes them from
# WARREN_TEST_BIN; then SCRIPT with `options`. Every way out ends the broker and, unless `keep` is set, removes the folder: the script
# has ended its programs.
play() {
    local script=$1 bin product
    shift
    install_missing build run
    if [ -n "${WARREN_TEST_BIN-}" ]; then
        bin=$WARREN_TEST_BIN
    elif [ -n "$is_release" ]; then
        build_programs >&2
        bin=$(programs_folder)
    else
        check_toolchain
        for product in "$@"; do
            swift build --product "$product" >&2
        done
        bin=$(swift build --show-bin-path)
    fi
    mkdir -p .warren/tests
    home=$(mktemp -d "$PWD/.warren/tests/$(basename "$script" .py).XXXXXX")
    trap end_play EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    PYTHONPATH=$PWD/Tests/Processes PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 "$script" --bin "$bin" --home "$home" ${options[@]+"${options[@]}"} &
    wait $!
}

end_play() {
    deploy/lib/broker stop "$home/broker" || true
    if [ -n "$keep" ]; then say "logs and databases are in $home"; else rm -rf "$home"; fi
}
