@testable import AMQP
@testable import Messaging

/// What both kinds of connections have: a state that others watch, an end, and a way back after a loss.
///
/// Unchecked: one thread.
class SimulatedConnection: @unchecked Sendable {
    let broker: SimulatedBroker
    let process: Int
    private(set) var state = ConnectionState.closed(cause: "not connected yet")
    private var observers: [AsyncStream<ConnectionState>.Continuation] = []
    private(set) var isRunning = false
    private(set) var connectionNumber = 0
    private var ending: UnsafeContinuation<Void, Never>?
    private var isCancelled = false

    init(broker: SimulatedBroker, process: Int) {
        self.broker = broker
        self.process = process
    }

    var states: AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self)
        continuation.yield(state)
        observers.append(continuation)
        return stream
    }

    func set(_ state: ConnectionState) {
        self.state = state
        broker.scheduler.inContext(of: process) {
            for observer in observers { observer.yield(state) }
        }
    }

    func run() async {
        isRunning = true
        reconnect()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if isCancelled { continuation.resume() } else { ending = continuation }
            }
        } onCancel: {
            isCancelled = true
            ending?.resume()
            ending = nil
        }
        isRunning = false
        ended()
        set(.closed(cause: "ended"))
        for observer in observers { observer.finish() }
    }

    private func reconnect() {
        set(.connecting)
        broker.scheduler.after(milliseconds: 1 + broker.scheduler.random.below(200)) { [weak self] in
            guard let self, isRunning, broker.scheduler.isAlive(process), state == .connecting else { return }
            connectionNumber += 1
            broker.declare()
            connected()
        }
    }

    /// The connection is lost.
    func cut() {
        guard isRunning, isConnected else { return }
        broker.scheduler.note(4, process)
        broker.scheduler.tell("\(self) of process \(process) is cut")
        lost()
        lose(cause: "cut")
    }

    /// There is no connection any more; there will be another one.
    func lose(cause: String) {
        set(.closed(cause: cause))
        broker.scheduler.after(milliseconds: 1 + broker.scheduler.random.below(500)) { [weak self] in
            guard let self, isRunning, broker.scheduler.isAlive(process) else { return }
            reconnect()
        }
    }

    var isConnected: Bool {
        switch state {
        case .ready, .blocked: true
        case .connecting, .closed: false
        }
    }

    func connected() { set(.ready) }
    func lost() {}
    func ended() {}
    /// The process is gone, and with it everything on this side.
    func died() { isRunning = false }
}
