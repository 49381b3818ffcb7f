// Faults for the sanitizers to find: what they do not find here they would not find anywhere.
import Glibc

/// Two threads count without a lock; often, because few rounds escape ThreadSanitizer.
func race() {
    let counter = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    counter.initialize(to: 0)
    defer { counter.deallocate() }
    var threads = [pthread_t(), pthread_t()]
    for index in threads.indices {
        pthread_create(
            &threads[index],
            nil,
            { counter in
                guard let counter = counter?.assumingMemoryBound(to: Int.self) else { return nil }
                for _ in 0..<300_000 { counter.pointee += 1 }
                return nil
            },
            counter
        )
    }
    for thread in threads { pthread_join(thread, nil) }
    print(counter.pointee)
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
