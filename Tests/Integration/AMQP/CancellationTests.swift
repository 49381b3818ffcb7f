import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import AMQP

/// A publish can be given up at any moment, and its error says whether the message may have arrived; by a peer that confirms
/// when the test says so.
@Suite("A cancelled publish", .timeLimit(.minutes(2)))
struct CancellationTests {
    private let broker: FakeBroker
    private let publisher: Publisher

    init() throws {
        broker = try FakeBroker()
        var configuration = try ConnectionConfiguration(urls: ["amqp://127.0.0.1:\(broker.port)/"], name: "cancelled")
        configuration.backoff = .milliseconds(1) ... .milliseconds(10)
        configuration.closingTimeout = .milliseconds(100)
        publisher = Publisher(configuration, window: 1, logger: testLogger)
    }

    private func publication(_ text: String) -> Publication {
        Publication(exchange: "", routingKey: "q", message: Message(text, id: text))
    }

    private func start(_ text: String) -> Task<Void, any Error> {
        Task { [publisher] in try await publisher.publish(publication(text)) }
    }

    /// Cancels it and checks its error.
    private func cancel(_ task: Task<Void, any Error>, wasSent: Bool) async {
        task.cancel()
        switch await task.result {
        case .success: Issue.record("it was confirmed")
        case .failure(let error as AMQPError):
            #expect(wasSent, "\(error)")
            #expect(error.code == .cancelled && error.mayHaveArrived)
        case .failure(let error):
            #expect(!wasSent && error is CancellationError, "\(error)")
        }
    }

    @Test("before there is a connection was never sent")
    func unconnected() async throws {
        let waiting = start("waiting")
        await cancel(waiting, wasSent: false)
        let cancelledBefore = Task { [publisher] in
            withUnsafeCurrentTask { $0?.cancel() }
            try await publisher.publish(publication("cancelled before"))
        }
        await cancel(cancelledBefore, wasSent: false)
        try await running([publisher]) {
            let next = start("next")
            try await eventually("the next one is on its way") { publisher.statistics.inFlight == 1 }
            broker.say(Frames.ack(1, multiple: false))
            try await next.value
            #expect(publisher.statistics.confirmed == 1 && publisher.statistics.waiting == 0)
        }
    }

    @Test("on its way may have arrived; its confirm makes room for the next one all the same")
    func inFlight() async throws {
        try await running([publisher]) {
            let first = start("first")
            try await eventually("it is on its way") { publisher.statistics.inFlight == 1 }
            let second = start("second")
            try await eventually("the next one waits for the window") { publisher.statistics.waiting == 1 }
            await cancel(first, wasSent: true)
            // The broker has not answered: there is no room yet.
            #expect(publisher.statistics.inFlight == 1 && publisher.statistics.waiting == 1)
            broker.say(Frames.ack(1, multiple: false))
            try await eventually("the second is on its way") {
                publisher.statistics.inFlight == 1 && publisher.statistics.waiting == 0
            }
            broker.say(Frames.ack(2, multiple: false))
            try await second.value
            #expect(publisher.statistics.confirmed == 2)
        }
    }

    @Test("while the window is full was never sent, and the ones behind it move up")
    func windowFull() async throws {
        try await running([publisher]) {
            let first = start("first")
            try await eventually("it is on its way") { publisher.statistics.inFlight == 1 }
            let second = start("second")
            try await eventually("the second waits") { publisher.statistics.waiting == 1 }
            let third = start("third")
            try await eventually("the third waits") { publisher.statistics.waiting == 2 }
            await cancel(second, wasSent: false)
            try await eventually("the second is forgotten") { publisher.statistics.waiting == 1 }
            broker.say(Frames.ack(1, multiple: false))
            try await first.value
            // The third has the number that the second would have had.
            try await eventually("the third is on its way") { publisher.statistics.inFlight == 1 }
            broker.say(Frames.ack(2, multiple: false))
            try await third.value
            #expect(publisher.statistics.confirmed == 2)
        }
    }

    @Test("while the broker blocks was never sent")
    func blocked() async throws {
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let states = publisher.states
            broker.say(Frames.blocked("low on memory"))
            try await reached(states, "blocked") { $0 == .blocked(reason: "low on memory") }
            let waiting = start("waiting")
            try await eventually("it waits") { publisher.statistics.waiting == 1 }
            await cancel(waiting, wasSent: false)
            broker.say(Frames.unblocked)
            try await reached(states, "ready") { $0 == .ready }
            let next = start("next")
            try await eventually("the next one is on its way") { publisher.statistics.inFlight == 1 }
            broker.say(Frames.ack(1, multiple: false))
            try await next.value
        }
    }

    @Test("whose connection breaks at the same time has one outcome, whichever was first")
    func race() async throws {
        try await running([publisher]) {
            for round in 0..<50 {
                try await reached(publisher.states, "ready") { $0 == .ready }
                let states = publisher.states
                let publishing = start("\(round)")
                try await eventually("it is on its way", every: .milliseconds(1)) { publisher.statistics.inFlight == 1 }
                async let cancelling: Void = publishing.cancel()
                broker.say(Frames.connectionClose(320, "test"))
                await cancelling
                guard case .failure(let error as AMQPError) = await publishing.result else {
                    Issue.record("it had no error")
                    return
                }
                #expect(error.code == .cancelled || error.code == .connectionLost)
                #expect(error.mayHaveArrived)
                try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            }
        }
        #expect(publisher.statistics.unknown == 50)
    }
}
