import AMQP
import Database
import Events
import Synchronization
import Testing

@testable import Messaging

@Suite("Two deliveries of a subject are never at work", .timeLimit(.minutes(5)))
struct SubjectLineTests {
    /// Buries the first events of a subject, by their numbers.
    private func bury(_ bench: Bench, _ numbers: Int...) async throws {
        bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.permanent("test.broken", "no") }
        for number in numbers {
            let event = Happened(subject: "a", number: number)
            await bench.receive(try bench.message(event, sequence: UInt64(number)))
        }
    }

    @Test("a dead letter that is retried waits for the first delivery that has begun")
    func retryBesideFirst() async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            try await bury(bench, 1)
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.inbox.receive([try bench.message(Happened(subject: "a", number: 2), sequence: 2)])
            try await eventually { course.all.count == 1 }
            _ = try await bench.deadLetters.retry(1, actor: "ada", reason: "")
            let scheduling = Task { await bench.scheduler.run() }
            // What is of another subject shows that the scheduler has been there.
            course.gate(3).set()
            await bench.inbox.receive([try bench.message(Happened(subject: "b", number: 3), redelivered: true)])
            try await eventually { try await bench.lives().contains { $0.subject == "b" && $0.status == "processed" } }
            #expect(course.all.filter { $0.hasPrefix("a") } == ["a begins"])
            course.gate(1).set()
            course.gate(2).set()
            try await eventually { try await bench.lives().allSatisfy { $0.status == "processed" } }
            let ofSubject = course.all.filter { $0.hasPrefix("a") }
            for (index, entry) in ofSubject.enumerated() {
                #expect(entry == (index.isMultiple(of: 2) ? "a begins" : "a ends"))
            }
            scheduling.cancel()
            await scheduling.value
        }
    }

    @Test("a suspect whose turn comes waits for the first delivery of its subject that has begun")
    func suspectBesideFirst() async throws {
        try await withBench(afterDeadLetter: .proceed, patience: .milliseconds(300)) { bench in
            try await bury(bench, 1)
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            await bench.inbox.receive([try bench.message(Happened(subject: "a", number: 2), sequence: 2)])
            try await eventually { course.all.count == 1 }
            try await bench.suspect(3)
            _ = try await bench.deadLetters.retry(1, actor: "ada", reason: "")
            let scheduling = Task { await bench.scheduler.run() }
            try await eventually { bench.isolation.isClosed }
            // Its turn is over: others begin. What has begun beside the first delivery would show soon.
            course.gate(3).set()
            await bench.inbox.receive([try bench.message(Happened(subject: "b", number: 3))])
            try await eventually { course.all.contains("b ends") }
            await Signal().wait(until: .now + .milliseconds(100))
            #expect(course.all.filter { $0.hasPrefix("a") } == ["a begins"])
            #expect(!bench.isolation.isClosed)
            course.gate(1).set()
            course.gate(2).set()
            try await eventually { try await bench.lives().allSatisfy { $0.status == "processed" } }
            let ofSubject = course.all.filter { $0.hasPrefix("a") }
            #expect(ofSubject.count == 6)
            for (index, entry) in ofSubject.enumerated() {
                #expect(entry == (index.isMultiple(of: 2) ? "a begins" : "a ends"))
            }
            scheduling.cancel()
            await scheduling.value
            await bench.inbox.drained()
            await bench.scheduler.drained()
        }
    }

    @Test("a timeout waits for the suspect of its subject that takes longer than a turn")
    func timeoutBesideSuspect() async throws {
        try await withBench(patience: .milliseconds(20)) { bench in
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: 0, key: "first") }
            try await bench.suspect(3)
            let scheduling = Task { await bench.scheduler.run() }
            try await eventually { course.all == ["a begins"] }
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 2), at: 0, key: "second") }
            try await eventually { !bench.isolation.isClosed }
            // A row that comes later and has begun shows that the scheduler has been there.
            course.gate(3).set()
            try await bench.events.write { try $0.schedule(Happened(subject: "b", number: 3), at: 0, key: "third") }
            try await eventually { course.all.contains("b ends") }
            await Signal().wait(until: .now + .milliseconds(100))
            #expect(course.all.filter { $0.hasPrefix("a") } == ["a begins"])
            course.gate(1).set()
            course.gate(2).set()
            try await eventually { course.all.count == 6 }
            #expect(course.all.filter { $0.hasPrefix("a") } == ["a begins", "a ends", "a begins", "a ends"])
            scheduling.cancel()
            await scheduling.value
            await bench.inbox.drained()
            await bench.scheduler.drained()
        }
    }

    @Test("an earlier dead letter that is retried waits for the later one that has begun", arguments: [true, false])
    func retryBesideRetry(isEdit: Bool) async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            try await bury(bench, 1, 2)
            let course = Course()
            bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
            let letters = bench.deadLetters
            let scheduling = Task { await bench.scheduler.run() }
            _ = try await letters.retry(2, actor: "ada", reason: "")
            try await eventually { course.all == ["a begins"] }
            let data = DeadLetterEdit.data(Array(#"{"subject":"a","number":1}"#.utf8))
            let letter =
                isEdit
                ? try await letters.edit(1, to: data, actor: "ada", reason: "")
                : try await letters.retry(1, actor: "ada", reason: "")
            #expect(letter.state == .held)
            let stored = try await letters.show(letter.id)
            #expect(stored.state == .held)
            course.gate(1).set()
            course.gate(2).set()
            try await eventually { course.all.count == 4 }
            #expect(course.all == ["a begins", "a ends", "a begins", "a ends"])
            try await eventually { try await letters.list(DeadLetterFilter(), after: nil, limit: 9).isEmpty }
            scheduling.cancel()
            await scheduling.value
        }
    }

    @Test("what takes a dead letter's place stays before those that came after it, without sequences too")
    func editedPlace() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { event, delivery in
                guard event.number > 0 else { throw HandlerError.permanent("test.negative", "no") }
                try await delivery.commit { try $0.execute("INSERT INTO effects (number) VALUES ($1)", event.number) }
            }
            for number in [0, 2, 3] { await bench.receive(try bench.message(Happened(subject: "a", number: number))) }
            let letters = bench.deadLetters
            // Corrected badly at first.
            let bad = DeadLetterEdit.data(Array(#"{"subject":"a","number":-1}"#.utf8))
            let second = try await letters.edit(1, to: bad, actor: "ada", reason: "")
            try await bench.settle { $0.map(\.status) == ["discarded", "held", "held", "dead"] }
            _ = try await letters.retry(second.id, actor: "ada", reason: "")
            try await bench.settle { $0.map(\.status) == ["discarded", "held", "held", "dead"] }
            let good = DeadLetterEdit.data(Array(#"{"subject":"a","number":1}"#.utf8))
            _ = try await letters.edit(second.id, to: good, actor: "ada", reason: "")
            try await bench.settle { lives in
                lives.map(\.status) == ["discarded", "processed", "processed", "discarded", "processed"]
            }
            #expect(try await bench.effects() == [1, 2, 3])
        }
    }

    @Test("what takes a dead letter's place waits for an earlier one of its subject")
    func editedBehind() async throws {
        try await withBench(afterDeadLetter: .hold) { bench in
            try await bury(bench, 1)
            let letters = bench.deadLetters
            _ = try await letters.discard(1, actor: "ada", reason: "")
            await bench.receive(try bench.message(Happened(subject: "a", number: 2), sequence: 2))
            _ = try await letters.restore(1, actor: "ada", reason: "")
            let data = DeadLetterEdit.data(Array(#"{"subject":"a","number":2}"#.utf8))
            let letter = try await letters.edit(2, to: data, actor: "ada", reason: "")
            #expect(letter.state == .held)
            bench.recordEffects()
            _ = try await letters.retry(1, actor: "ada", reason: "")
            try await bench.settle { $0.map(\.status) == ["processed", "discarded", "processed"] }
            #expect(try await bench.effects() == [1, 2])
        }
    }
}
