#include "json.h"

#include <stdint.h>
#include <string.h>

struct reader {
    const unsigned char *at, *end;
    struct member *wanted;
    size_t count;
};

enum { most_names = 64, most_depth = 32 };

static bool value(struct reader *reader, int depth);

static void space(struct reader *reader) {
    while (reader->at < reader->end
           && (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
}

static bool take(struct reader *reader, unsigned char byte) {
    if (reader->at == reader->end || *reader->at != byte) return false;
    reader->at++;
    return true;
}

/// One character of two or more bytes.
static bool wide(struct reader *reader) {
    const unsigned char *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    unsigned char first = at[0];
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < length) return false;
    if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F)) return false;
    if ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F)) return false;
    for (size_t index = 1; index < length; index++) {
        if ((at[index] & 0xC0) != 0x80) return false;
    }
    reader->at += length;
    return true;
}

static bool string(struct reader *reader, struct piece *piece) {
    if (!take(reader, '"')) return false;
    piece->start = (const char *)reader->at;
    while (reader->at < reader->end) {
        unsigned char byte = *reader->at;
        if (byte == '"') {
            piece->length = (size_t)((const char *)reader->at - piece->start);
            reader->at++;
            return true;
        }
        if (byte < 0x20) return false;
        if (byte == '\\') {
            if (reader->end - reader->at < 2 || !strchr("\"\\/bfnrtu", reader->at[1])) return false;
            reader->at += 2;
        } else if (byte < 0x80) {
            reader->at++;
        } else if (!wide(reader)) {
            return false;
        }
    }
    return false;
}

static bool digits(struct reader *reader) {
    const unsigned char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
    return reader->at > start;
}

static bool number(struct reader *reader) {
    take(reader, '-');
    if (take(reader, '0') || digits(reader)) {
        if (take(reader, '.') && !digits(reader)) return false;
        if (take(reader, 'e') || take(reader, 'E')) {
            if (!take(reader, '+')) take(reader, '-');
            return digits(reader);
        }
        return true;
    }
    return false;
}

static bool literal(struct reader *reader, const char *text, size_t length) {
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0) return false;
    reader->at += length;
    return true;
}

static bool object(struct reader *reader, int depth) {
    uint64_t names[most_names];
    size_t count = 0;
    reader->at++;
    space(reader);
    if (take(reader, '}')) return true;
    for (;;) {
        struct piece name;
        if (!string(reader, &name) || count == most_names) return false;
        uint64_t hash = 0xCBF29CE484222325ULL;
        for (size_t index = 0; index < name.length; index++) {
            hash = (hash ^ (unsigned char)name.start[index]) * 0x100000001B3ULL;
        }
        for (size_t index = 0; index < count; index++) {
            if (names[index] == hash) return false;
        }
        names[count++] = hash;
        space(reader);
        if (!take(reader, ':')) return false;
        space(reader);
        const unsigned char *start = reader->at;
        if (!value(reader, depth + 1)) return false;
        if (depth == 1) {
            for (size_t index = 0; index < reader->count; index++) {
                struct member *member = &reader->wanted[index];
                if (strlen(member->name) != name.length || memcmp(member->name, name.start, name.length) != 0) continue;
                bool quoted = *start == '"';
                member->value.start = (const char *)start + quoted;
                member->value.length = (size_t)(reader->at - start) - (quoted ? 2 : 0);
            }
        }
        space(reader);
        if (take(reader, '}')) return true;
        if (!take(reader, ',')) return false;
        space(reader);
    }
}

static bool array(struct reader *reader, int depth) {
    reader->at++;
    space(reader);
    if (take(reader, ']')) return true;
    for (;;) {
        if (!value(reader, depth + 1)) return false;
        space(reader);
        if (take(reader, ']')) return true;
        if (!take(reader, ',')) return false;
        space(reader);
    }
}

static bool value(struct reader *reader, int depth) {
    struct piece ignored;
    if (reader->at == reader->end || depth > most_depth) return false;
    switch (*reader->at) {
    case '{': return object(reader, depth);
    case '[': return array(reader, depth);
    case '"': return string(reader, &ignored);
    case 't': return literal(reader, "true", 4);
    case 'f': return literal(reader, "false", 5);
    case 'n': return literal(reader, "null", 4);
    default: return number(reader);
    }
}

bool json_object(struct piece text, struct member *wanted, size_t count) {
    struct reader reader = {
        .at = (const unsigned char *)text.start,
        .end = (const unsigned char *)text.start + text.length,
        .wanted = wanted,
        .count = count,
    };
    for (size_t index = 0; index < count; index++) wanted[index].value = (struct piece){0};
    space(&reader);
    if (reader.at == reader.end || *reader.at != '{' || !value(&reader, 1)) return false;
    space(&reader);
    return reader.at == reader.end;
}
