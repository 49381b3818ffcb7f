// What the kit is measured against: the same jobs in C over librabbitmq and SQLite, as directly as they can be written.
#include <string.h>

#include "programs.h"
#include "support.h"

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(int, char **);
    } programs[] = {
        {"queue-declare", queue_declare},
        {"queue-delete", queue_delete},
        {"subscriber-declare", subscriber_declare},
        {"publish", publish},
        {"consume", consume},
        {"idle", idle},
        {"append", append},
        {"handle", handle},
    };
    for (size_t index = 0; index < sizeof programs / sizeof programs[0]; index++) {
        if (count > 1 && strcmp(arguments[1], programs[index].name) == 0) {
            programs[index].run(count - 2, arguments + 2);
            return 0;
        }
    }
    die("no such program");
}
