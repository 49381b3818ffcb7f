# shellcheck shell=bash
# Builds the programs as they are used: optimised across modules (worth about 4 % of the time that handling an event takes),
# and with Swift's libraries in them. To be sourced.

release=(-c release --static-swift-stdlib -Xswiftc -cross-module-optimization)

# The programs of the services.
service_programs=({order,payment,notification,inventory,coupon,points,shipping,analytics}-service)

# One product after the other, because SwiftPM takes one at a time, and all of them together with what only tests and
# benchmarks need. What they share is compiled once.
build_programs() {
    local program
    for program in "${service_programs[@]}" sandbox warren; do
        swift build "${release[@]}" --product "$program" || return 1
    done
}

# Prints the folder with the built programs.
programs_folder() { swift build "${release[@]}" --show-bin-path; }
