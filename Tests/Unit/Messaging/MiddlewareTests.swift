import Events
import Synchronization
import Testing

@testable import Messaging

/// Notes when it is entered and left, and with what.
private struct Witness: HandlerMiddleware {
    let name: String
    let journal: Journal

    final class Journal: Sendable {
        let lines = Mutex<[String]>([])
        func note(_ line: String) { lines.withLock { $0.append(line) } }
    }

    func handle(_ delivery: Delivery, next: (Delivery) async throws -> Void) async throws {
        journal.note("\(name) enters \(delivery.envelope.subject ?? "") for the \(delivery.attempt). time")
        do {
            try await next(delivery)
        } catch {
            journal.note("\(name) sees \((error as? HandlerError)?.errorClass ?? "?")")
            throw error
        }
        journal.note("\(name) leaves")
    }
}

/// Lets nothing through.
private struct Wall: HandlerMiddleware {
    func handle(_ delivery: Delivery, next: (Delivery) async throws -> Void) async throws {}
}

@Suite("A middleware", .timeLimit(.minutes(5)))
struct MiddlewareTests {
    @Test func `is around every handler, the first one outermost, whenever the handler is registered`() async throws {
        try await withBench { bench async throws in
            let journal = Witness.Journal()
            bench.subscriber.use(Witness(name: "outer", journal: journal))
            bench.subscriber.use(Witness(name: "inner", journal: journal))
            bench.recordEffects()
            await bench.receive(try bench.message(Happened(subject: "a", number: 7)))
            #expect(try await bench.effects() == [7])
            #expect(
                journal.lines.withLock { $0 } == [
                    "outer enters a for the 1. time", "inner enters a for the 1. time", "inner leaves", "outer leaves",
                ]
            )
        }
    }

    @Test func `sees each attempt and its error, which decides as without it`() async throws {
        try await withBench { bench async throws in
            let journal = Witness.Journal()
            bench.subscriber.use(Witness(name: "it", journal: journal))
            bench.subscriber.on(Happened.self) { _, delivery in
                guard delivery.attempt > 1 else { throw HandlerError.transient("test.busy", "later") }
                throw HandlerError.permanent("test.never", "no retry helps")
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 7)))
            try await bench.settle { $0.first?.status == "dead" }
            #expect(try await bench.lives().map(\.attempts) == [2])
            #expect(
                journal.lines.withLock { $0 } == [
                    "it enters a for the 1. time", "it sees test.busy", "it enters a for the 2. time",
                    "it sees test.never",
                ]
            )
        }
    }

    @Test func `that does not go on ends the delivery without its handler`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            bench.subscriber.use(Wall())
            await bench.receive(try bench.message(Happened(subject: "a", number: 7)))
            #expect(try await bench.effects() == [])
            #expect(try await bench.lives().map(\.status) == ["processed"])
        }
    }
}
