import Events
import HTTP
import Synchronization
import Telemetry

/// Where mails wait for one of the few connections to the server.
///
/// Safe to use from any task.
final class MailDesk: Sendable {
    /// No connection was free for as long as a mail waits.
    struct Busy: Error {}

    private struct Waiter {
        let continuation: CheckedContinuation<Void, any Error>
        let timer: Task<Void, Never>
    }

    private struct State {
        var connections: MailConnections
        var waiting: [MailConnections.Request: Waiter] = [:]
        var asked = 0

        /// Those that wait no more.
        mutating func take(_ requests: [MailConnections.Request]) -> [Waiter] {
            requests.compactMap { waiting.removeValue(forKey: $0) }
        }
    }

    private let state: Mutex<State>
    private let patience: Duration
    private let logger: Logger

    /// How often a mail waits for another connection after the server had enough of them.
    private static let tries = 3

    /// - Parameters:
    ///   - connections: how many there are at most.
    ///   - patience: how long a mail waits for one; well below the time that its attempt has.
    init(connections: Int, patience: Duration = .seconds(60), logger: Logger) {
        state = Mutex(State(connections: MailConnections(most: connections)))
        self.patience = patience
        self.logger = logger
    }

    /// How many connections there may be now.
    var allowed: Int { state.withLock { $0.connections.allowed } }

    /// Hands a mail over when there is a connection for it.
    ///
    /// Where the server refuses it because of too many connections (421) and others are in use, the mail waits for one of those.
    ///
    /// - Parameters:
    ///   - isRetry: whether the server was asked to take the mail before.
    ///   - send: hands it over.
    /// - Throws: what `send` throws; `Busy`; `CancellationError`.
    func hand(isRetry: Bool, _ send: () async throws -> Void) async throws {
        for attempt in 1...MailDesk.tries {
            let request = try await enter(isRetry: isRetry)
            do {
                try await send()
                leave(request)
                return
            } catch let failure as SMTPFailure where failure.replyCode == 421 {
                guard refused(request), attempt < MailDesk.tries else { throw failure }
            } catch {
                leave(request)
                throw error
            }
        }
    }

    private func enter(isRetry: Bool) async throws -> MailConnections.Request {
        let request = state.withLock { state in
            state.asked += 1
            return MailConnections.Request(id: state.asked, isRetry: isRetry)
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (granted, outcome) = state.withLock { state -> ([Waiter], Result<Void, any Error>?) in
                    // Under the lock: who cancels later finds it waiting.
                    guard !Task.isCancelled else { return ([], .failure(CancellationError())) }
                    var granted = state.connections.ask(request, at: WallClock.milliseconds())
                    if let place = granted.firstIndex(of: request) {
                        granted.remove(at: place)
                        return (state.take(granted), .success(()))
                    }
                    let timer = Task { [patience, weak self] in
                        guard (try? await Task.sleep(for: patience)) != nil else { return }
                        self?.drop(request, Busy())
                    }
                    state.waiting[request] = Waiter(continuation: continuation, timer: timer)
                    return (state.take(granted), nil)
                }
                if let outcome { continuation.resume(with: outcome) }
                MailDesk.resume(granted)
            }
        } onCancel: {
            drop(request, CancellationError())
        }
        return request
    }

    private func leave(_ request: MailConnections.Request) {
        MailDesk.resume(
            state.withLock { state in
                state.take(state.connections.ended(request, at: WallClock.milliseconds()))
            }
        )
    }

    /// - Returns: whether it is worth while to wait for another one.
    private func refused(_ request: MailConnections.Request) -> Bool {
        let (hasOthers, allowed, granted) = state.withLock { state in
            let (hasOthers, granted) = state.connections.refused(request, at: WallClock.milliseconds())
            return (hasOthers, state.connections.allowed, state.take(granted))
        }
        MailDesk.resume(granted)
        logger.info("The mail server takes no more connections", [LogField("mail.connections", allowed)])
        return hasOthers
    }

    private func drop(_ request: MailConnections.Request, _ error: any Error) {
        let waiter = state.withLock { state in
            state.connections.leave(request)
            return state.waiting.removeValue(forKey: request)
        }
        waiter?.timer.cancel()
        waiter?.continuation.resume(throwing: error)
    }

    private static func resume(_ waiters: [Waiter]) {
        for waiter in waiters {
            waiter.timer.cancel()
            waiter.continuation.resume()
        }
    }
}
