import AMQP
import Glibc
import Synchronization
import Telemetry

/// The client's side of the `amqp` benchmark: the same work as `publish`, `consume` and `idle` of the C program.
enum AMQPWorkers {
    /// `submit` is what the forwarder uses; `publish` is what a program with many tasks uses.
    enum Way: String {
        case submit
        case publish
    }

    static func publish(url: String, queue: String, count: Int, window: Int, size: Int, way: Way) async throws {
        let publisher = Publisher(
            try ConnectionConfiguration(urls: [url], name: "benchmark"),
            window: window,
            logger: .silent
        )
        let running = Task { await publisher.run() }
        await ready(publisher.states)
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: size)
        @Sendable func message(_ number: Int) -> Publication {
            var properties = MessageProperties()
            properties.deliveryMode = 2
            properties.contentType = "application/octet-stream"
            properties.messageID = String(number)
            return Publication(exchange: "", routingKey: queue, message: Message(body: body, properties: properties))
        }
        Conversation.readyAndWait()

        let stretch = Stretch()
        switch way {
        case .submit:
            let done = Countdown(count)
            let feeder = Feeder(publisher, count: count, window: window, done: done, message: message)
            feeder.feed()
            await done.wait()
        case .publish:
            let numbers = Numbers(count)
            try await withThrowingTaskGroup { group in
                for _ in 0..<window {
                    group.addTask {
                        while let number = numbers.next() { try await publisher.publish(message(number)) }
                    }
                }
                try await group.waitForAll()
            }
        }
        stretch.tell()
        running.cancel()
        await running.value
    }

    static func consume(url: String, queue: String, count: Int, prefetch: Int) async throws {
        let consumer = Consumer(
            try ConnectionConfiguration(urls: [url], name: "benchmark"),
            queue: queue,
            prefetch: prefetch,
            logger: .silent
        )
        Conversation.readyAndWait()
        let running = Task { await consumer.run() }
        var received = 0
        var bytes = 0
        var stretch: Stretch?
        for await burst in consumer.bursts {
            if stretch == nil { stretch = Stretch() }
            received += burst.count
            for message in burst { bytes += message.message.body.count }
            if received >= count { stretch?.tell() }
            consumer.ack(burst.map(\.tag))
            if received >= count { break }
        }
        Conversation.result("bytes", Double(bytes))
        running.cancel()
        await running.value
    }

    static func idle(url: String, queue: String, connections: Int, seconds: Double) async throws {
        let before = ProcessSample(pid: getpid()).residentKiB
        var running: [Task<Void, Never>] = []
        for _ in 0..<connections {
            let consumer = Consumer(
                try ConnectionConfiguration(urls: [url], name: "benchmark"),
                queue: queue,
                prefetch: 250,
                logger: .silent
            )
            running.append(Task { await consumer.run() })
            await ready(consumer.states)
        }
        Conversation.readyAndWait()
        let stretch = Stretch()
        try await Task.sleep(for: .seconds(seconds))
        stretch.tell()
        Conversation.result("resident", Double(ProcessSample(pid: getpid()).residentKiB - before))
        for task in running {
            task.cancel()
            await task.value
        }
    }

    private static func ready(_ states: AsyncStream<ConnectionState>) async {
        for await state in states where state == .ready { return }
    }
}

/// Keeps a publisher supplied: what waits to be sent is never less than one window, and never more than two.
private final class Feeder: Sendable {
    private struct State {
        var next = 0
        var outstanding = 0
    }

    private let publisher: Publisher
    private let count: Int
    private let window: Int
    private let done: Countdown
    private let message: @Sendable (Int) -> Publication
    private let state = Mutex(State())

    init(
        _ publisher: Publisher,
        count: Int,
        window: Int,
        done: Countdown,
        message: @escaping @Sendable (Int) -> Publication
    ) {
        self.publisher = publisher
        self.count = count
        self.window = window
        self.done = done
        self.message = message
    }

    /// Submits the next burst if there is room for it.
    func feed() {
        while true {
            let numbers = state.withLock { state -> Range<Int> in
                guard state.outstanding <= window else { return 0..<0 }
                let numbers = state.next..<min(count, state.next + window)
                state.next = numbers.upperBound
                state.outstanding += numbers.count
                return numbers
            }
            guard !numbers.isEmpty else { return }
            publisher.submit(numbers.map(message)) { [self] _, error in
                if let error {
                    Standard.error("a message was not confirmed: \(error)")
                    exit(1)
                }
                let hasRoom = state.withLock { state in
                    state.outstanding -= 1
                    return state.outstanding == window
                }
                done.happened()
                if hasRoom { feed() }
            }
        }
    }
}
