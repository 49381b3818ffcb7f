// Reads an event as the kit does: everything is checked, and what is needed is found, in one pass.
#ifndef REFERENCE_JSON_H
#define REFERENCE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/// A piece of the text; strings without their quotes (the benchmark's strings have no escapes).
struct piece {
    const char *start;
    size_t length;
};

/// The members of an object that somebody wants.
struct member {
    const char *name;
    struct piece value;
};

/// Checks an object - syntax, UTF-8, depth, duplicate names - and finds members of it. False when it is not valid.
bool json_object(struct piece text, struct member *wanted, size_t count);

#endif
