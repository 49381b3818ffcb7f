// The reference programs, each run as `benchmark-reference NAME ARGUMENT…`.
#ifndef REFERENCE_PROGRAMS_H
#define REFERENCE_PROGRAMS_H

void queue_declare(int count, char **arguments);
void queue_delete(int count, char **arguments);
void subscriber_declare(int count, char **arguments);
void publish(int count, char **arguments);
void consume(int count, char **arguments);
void idle(int count, char **arguments);
void append(int count, char **arguments);
void handle(int count, char **arguments);

#endif
