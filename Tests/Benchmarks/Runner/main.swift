// Measures the kit against C, and the shop as a whole. Run by Tests/Benchmarks/run, which starts the broker.
import Glibc

/// Runs one measured program of the kit's, as the C program runs its own.
func runWorker(_ arguments: [String]) async throws {
    guard arguments.count > 3 else { throw BenchmarkError("a worker has a name and at least three arguments") }
    func number(_ index: Int) throws -> Int {
        guard index < arguments.count, let number = Int(arguments[index]) else {
            throw BenchmarkError("argument \(index) of \(arguments[0]) must be a number")
        }
        return number
    }
    switch (arguments[0], arguments.count) {
    case ("publish", 7):
        try await AMQPWorkers.publish(
            url: arguments[1],
            queue: arguments[2],
            count: number(3),
            window: number(4),
            size: number(5),
            way: AMQPWorkers.Way(rawValue: arguments[6]) ?? .submit
        )
    case ("consume", 5):
        try await AMQPWorkers.consume(url: arguments[1], queue: arguments[2], count: number(3), prefetch: number(4))
    case ("idle", 5):
        try await AMQPWorkers.idle(
            url: arguments[1],
            queue: arguments[2],
            connections: number(3),
            seconds: Double(arguments[4]) ?? 0
        )
    case ("append", 9):
        try await DeliveryWorkers.append(
            url: arguments[1],
            path: arguments[2],
            count: number(3),
            subjects: number(4),
            textBytes: number(5),
            clients: number(6),
            rate: Double(arguments[7]) ?? 0,
            moments: arguments[8]
        )
    case ("handle", 7):
        try await DeliveryWorkers.handle(
            url: arguments[1],
            path: arguments[2],
            count: number(3),
            prefetch: number(4),
            isEarly: arguments[5] == "early",
            moments: arguments[6]
        )
    case ("bury", 4):
        try await DeadLetterWorkers.fill(path: arguments[1], rows: number(2), rounds: number(3))
    case ("replay", 7):
        try await DeadLetterWorkers.replay(
            url: arguments[1],
            path: arguments[2],
            round: number(3),
            load: number(4),
            begins: number(5),
            moments: arguments[6]
        )
    case ("release", 4):
        try await CostWorkers.release(url: arguments[1], path: arguments[2], rows: number(3))
    case ("start", 4):
        try await CostWorkers.start(url: arguments[1], path: arguments[2], rows: number(3))
    case ("retain", 4):
        try await CostWorkers.retain(url: arguments[1], path: arguments[2], rows: number(3))
    case ("waiting", 5):
        try await CostWorkers.handle(url: arguments[1], path: arguments[2], waiting: number(3), count: number(4))
    default:
        throw BenchmarkError("no worker \(arguments[0]) with \(arguments.count - 1) arguments")
    }
}

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == "worker" {
        // On the pool, where a service's work runs, and not on the main thread.
        try await Task.detached { try await runWorker(Array(arguments.dropFirst())) }.value
    } else {
        try await Command(arguments).run()
    }
} catch {
    Standard.error("benchmarks: \(error)")
    exit(1)
}
