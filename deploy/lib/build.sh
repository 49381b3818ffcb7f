# shellcheck shell=bash
# Builds the programs as they are used: optimised, and with Swift's libraries in them. To be sourced.

release=(-c release --static-swift-stdlib)

# One product after the other, because SwiftPM takes one at a time, and all of them together with what only tests and
# benchmarks need. What they share is compiled once.
build_programs() {
    local program
    for program in order-service payment-service notification-service sandbox warren; do
        swift build "${release[@]}" --product "$program" || return 1
    done
}

# Prints the folder with the built programs.
programs_folder() { swift build "${release[@]}" --show-bin-path; }
