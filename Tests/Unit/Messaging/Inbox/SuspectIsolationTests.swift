import AMQP
import Events
import Synchronization
import Testing

@testable import Messaging

/// What happened, in its order, and gates that the test opens.
final class Course: Sendable {
    private let entries = Mutex<[String]>([])
    private let gates = Mutex<[Int: Flag]>([:])

    var all: [String] { entries.withLock { $0 } }

    func note(_ entry: String) { entries.withLock { $0.append(entry) } }

    func gate(_ number: Int) -> Flag {
        gates.withLock { gates in
            let gate = gates[number] ?? Flag()
            gates[number] = gate
            return gate
        }
    }

    /// A handler that says when it begins and ends, and in between waits for the gate of its event.
    func handle(_ event: Happened, _ delivery: Delivery) async throws {
        note("\(event.subject) begins")
        _ = await gate(event.number).wait(until: .now + .seconds(120))
        note("\(event.subject) ends")
        try await delivery.commit { _ in }
    }
}

@Suite("A suspect that is to be alone and the first deliveries", .timeLimit(.minutes(5)))
struct IsolationTests {
    @Test("do not run together: what comes while a suspect runs waits for it")
    func waitsForSuspect() async throws {
        try await withBench { bench in
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.receive(try bench.message(Happened(subject: "suspect", number: 1), redelivered: true))
            try await bench.suspect(3)
            let scheduling = Task { await bench.scheduler.run() }
            try await eventually { course.all == ["suspect begins"] }
            course.gate(2).set()
            let message = try bench.message(Happened(subject: "neighbour", number: 2))
            let receiving = Task { await bench.receive(message) }
            try await eventually { bench.isolation.isAwaited || course.all.count > 1 }
            course.gate(1).set()
            await receiving.value
            #expect(course.all == ["suspect begins", "suspect ends", "neighbour begins", "neighbour ends"])
            scheduling.cancel()
            await scheduling.value
            await bench.scheduler.drained()
        }
    }

    @Test(
        "do not run together: a suspect waits for what has begun, and is not charged for an end of the process before"
    )
    func suspectWaits() async throws {
        try await withBench { bench in
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.inbox.receive([try bench.message(Happened(subject: "neighbour", number: 2))])
            try await eventually { course.all == ["neighbour begins"] }
            course.gate(1).set()
            await bench.inbox.receive([try bench.message(Happened(subject: "suspect", number: 1), redelivered: true)])
            try await eventually { try await bench.lives().map(\.subject) == ["suspect"] }
            try await bench.suspect(3)
            let scheduling = Task { await bench.scheduler.run() }
            try await eventually { bench.isolation.isClosed || course.all.count > 1 }
            // What a process that ends now leaves behind.
            #expect(try await bench.lives().map(\.attempts) == [0])
            #expect(course.all == ["neighbour begins"])
            course.gate(2).set()
            try await eventually { course.all.count == 4 }
            #expect(course.all == ["neighbour begins", "neighbour ends", "suspect begins", "suspect ends"])
            scheduling.cancel()
            await scheduling.value
            await bench.inbox.drained()
            await bench.scheduler.drained()
        }
    }

    @Test("take turns: what waits for one suspect goes before the next")
    func turns() async throws {
        try await withBench { bench in
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.receive(try bench.message(Happened(subject: "first suspect", number: 1), redelivered: true))
            await bench.receive(try bench.message(Happened(subject: "second suspect", number: 1), redelivered: true))
            try await bench.suspect(3)
            let scheduling = Task { await bench.scheduler.run() }
            try await eventually { course.all == ["first suspect begins"] }
            let message = try bench.message(Happened(subject: "neighbour", number: 2))
            let receiving = Task { await bench.receive(message) }
            try await eventually { bench.isolation.isAwaited || course.all.count > 1 }
            course.gate(1).set()
            // The second suspect is due, and waits for the neighbour.
            try await eventually { course.all.contains("neighbour begins") }
            course.gate(2).set()
            await receiving.value
            try await eventually { course.all.count == 6 }
            #expect(
                course.all == [
                    "first suspect begins", "first suspect ends", "neighbour begins", "neighbour ends",
                    "second suspect begins", "second suspect ends",
                ]
            )
            scheduling.cancel()
            await scheduling.value
            await bench.scheduler.drained()
        }
    }

    @Test("wait for each other for a while only")
    func patience() async throws {
        try await withBench(patience: .milliseconds(20)) { bench in
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.inbox.receive([try bench.message(Happened(subject: "slow neighbour", number: 1))])
            try await eventually { course.all == ["slow neighbour begins"] }
            await bench.inbox.receive([
                try bench.message(Happened(subject: "slow suspect", number: 2), redelivered: true)
            ])
            try await eventually { try await bench.lives().count == 1 }
            try await bench.suspect(3)
            let scheduling = Task { await bench.scheduler.run() }
            // The suspect runs although the neighbour has not ended, and another neighbour although the suspect has not.
            try await eventually { course.all.contains("slow suspect begins") }
            course.gate(3).set()
            await bench.inbox.receive([try bench.message(Happened(subject: "neighbour", number: 3))])
            try await eventually { course.all.contains("neighbour ends") }
            #expect(!course.all.contains("slow neighbour ends"))
            #expect(!course.all.contains("slow suspect ends"))
            // In company it is not charged.
            let attempts = try await bench.lives().map(\.attempts)
            #expect(attempts.first == 0)
            course.gate(1).set()
            course.gate(2).set()
            try await eventually { try await bench.lives().filter { $0.status == "processed" }.count == 3 }
            scheduling.cancel()
            await scheduling.value
            await bench.inbox.drained()
            await bench.scheduler.drained()
        }
    }
}
