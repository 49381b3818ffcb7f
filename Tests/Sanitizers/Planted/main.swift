// Faults for the sanitizers to find: what they do not find here they would not find anywhere.
import Glibc

/// What two threads share, and where they wait for each other.
struct Shared {
    var start = pthread_barrier_t()
    var counter = 0
}

/// Two threads count without a lock; at the same time and often, because ThreadSanitizer misses a few rounds.
func race() {
    let shared = UnsafeMutablePointer<Shared>.allocate(capacity: 1)
    shared.initialize(to: Shared())
    defer { shared.deallocate() }
    pthread_barrier_init(&shared.pointee.start, nil, 2)
    var threads = [pthread_t(), pthread_t()]
    for index in threads.indices {
        pthread_create(
            &threads[index],
            nil,
            { argument in
                guard let shared = argument?.assumingMemoryBound(to: Shared.self) else { return nil }
                pthread_barrier_wait(&shared.pointee.start)
                for round in 0..<300_000 {
                    shared.pointee.counter += 1
                    // On a busy machine one thread would be through before the other has begun.
                    if round % 1_000 == 0 { sched_yield() }
                }
                return nil
            },
            shared
        )
    }
    for thread in threads { pthread_join(thread, nil) }
    print(shared.pointee.counter)
}

/// Reads one byte too far.
func overflow() {
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: CommandLine.arguments.count)
    bytes.initialize(repeating: 0, count: CommandLine.arguments.count)
    print(bytes[CommandLine.arguments.count])
    bytes.deallocate()
}

/// Forgets what it allocated.
@inline(never)
func leak() {
    for index in 0..<100 {
        let memory = UnsafeMutablePointer<Int>.allocate(capacity: 100)
        memory.initialize(repeating: index, count: 100)
    }
}

switch CommandLine.arguments.last {
case "race": race()
case "overflow": overflow()
case "leak": leak()
default: exit(2)
}
