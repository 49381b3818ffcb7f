import CCurl
import Glibc
import Synchronization

/// A transfer that a `CurlLoop` carries out.
///
/// `configure` and `finish` are called on the loop's thread, `abort` too, or on that of the caller when the loop is closed;
/// exactly one of `finish` and `abort` is called, once.
protocol CurlTransfer: AnyObject, Sendable {
    /// How far the transfer is; the loop's alone.
    var stage: CurlStage { get set }
    /// Sets the options of a fresh easy handle, which the transfer may use until it is finished or aborted.
    func configure(_ easy: EasyHandle) throws
    /// The transfer has ended, well or not; the handle can still be asked.
    func finish(_ easy: EasyHandle, _ result: CURLcode)
    /// The transfer has been taken away before its end; there is a handle if it had begun.
    func abort(_ easy: EasyHandle?, _ reason: CurlAbort)
}

/// How far a transfer is.
enum CurlStage {
    /// Not yet seen by the loop's thread.
    case new
    /// Cancelled before its start was seen.
    case cancelled
    /// In flight.
    case active
    /// Finished or aborted.
    case over
}

/// Why a transfer was taken away.
enum CurlAbort: Error, Sendable {
    /// Its task was cancelled.
    case cancelled
    /// The loop was closed.
    case closed
    /// libcurl or the thread failed.
    case failed(String)
}

/// One thread that carries out any number of transfers by `curl_multi_poll`.
final class CurlLoop: Sendable {
    private enum Command {
        case start(any CurlTransfer)
        case cancel(any CurlTransfer)
    }

    private struct State {
        var commands: [Command] = []
        var isRunning = false
        var isClosed = false
        /// Set while the thread polls, so that it can be woken.
        var multi: MultiHandle?
    }

    /// Safe to send: `curl_multi_wakeup` may be called from any thread, and everything else is called on the loop's.
    @safe private struct MultiHandle: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    private let name: String
    private let state = Mutex(State())

    /// `curl_global_init`, once in the process.
    private static let isReady = warren_curl_global_init() == CURLE_OK

    init(name: String) { self.name = name }

    /// Begins a transfer.
    func start(_ transfer: any CurlTransfer) {
        let refusal: CurlAbort? = state.withLock { state in
            guard !state.isClosed else { return .closed }
            if !state.isRunning {
                guard Self.isReady, runThread() else { return .failed("the thread for transfers cannot be started") }
                state.isRunning = true
            }
            state.commands.append(.start(transfer))
            Self.wake(state)
            return nil
        }
        if let refusal { transfer.abort(nil, refusal) }
    }

    /// Takes a transfer away if it has not ended; may come before its start.
    func cancel(_ transfer: any CurlTransfer) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.commands.append(.cancel(transfer))
            Self.wake(state)
        }
    }

    /// Aborts all transfers and ends the thread; does not wait for it.
    func close() {
        state.withLock { state in
            state.isClosed = true
            Self.wake(state)
        }
    }

    private static func wake(_ state: State) {
        // Under the lock: the thread takes the handle out under it before it frees it.
        if let multi = state.multi { _ = unsafe curl_multi_wakeup(multi.pointer) }
    }

    // MARK: - The thread

    private func runThread() -> Bool {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<CurlLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        guard status == 0 else {
            unsafe Unmanaged<CurlLoop>.fromOpaque(context).release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func run() {
        // Signals belong to other threads; SIGPIPE above all, which writing to a closed TLS connection would raise.
        var signals = sigset_t()
        unsafe sigfillset(&signals)
        unsafe pthread_sigmask(SIG_SETMASK, &signals, nil)

        guard let multi = unsafe curl_multi_init() else { return endWithoutMulti() }
        // Idle connections that are kept; by default libcurl keeps four for each transfer in flight, so hardly any.
        unsafe warren_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 64)
        state.withLock { $0.multi = unsafe MultiHandle(pointer: multi) }
        var work = Transfers(multi: unsafe MultiHandle(pointer: multi))
        while true {
            let (commands, isClosed) = state.withLock { state in
                defer { state.commands = [] }
                return (state.commands, state.isClosed)
            }
            for command in commands {
                switch command {
                case .start(let transfer): work.start(transfer)
                case .cancel(let transfer): work.cancel(transfer)
                }
            }
            if isClosed { break }
            work.advance()
        }
        work.abortAll(.closed)
        state.withLock { $0.multi = nil }
        unsafe curl_multi_cleanup(multi)
    }

    private func endWithoutMulti() {
        let commands = state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
        for case .start(let transfer) in commands { transfer.abort(nil, .failed("libcurl has no memory")) }
    }

    /// The transfers in flight; on the loop's thread only.
    private struct Transfers {
        let multi: MultiHandle
        private var active: [EasyHandle: any CurlTransfer] = [:]
        private var handles: [ObjectIdentifier: EasyHandle] = [:]

        init(multi: MultiHandle) { self.multi = multi }

        mutating func start(_ transfer: any CurlTransfer) {
            guard transfer.stage == .new else { return transfer.abort(nil, .cancelled) }
            transfer.stage = .over
            guard let pointer = unsafe curl_easy_init() else {
                return transfer.abort(nil, .failed("libcurl has no memory"))
            }
            let easy = unsafe EasyHandle(pointer: pointer)
            do {
                try transfer.configure(easy)
            } catch {
                transfer.abort(nil, .failed("\(error)"))
                return unsafe curl_easy_cleanup(pointer)
            }
            guard unsafe curl_multi_add_handle(multi.pointer, pointer) == CURLM_OK else {
                transfer.abort(nil, .failed("libcurl does not take the transfer"))
                return unsafe curl_easy_cleanup(pointer)
            }
            transfer.stage = .active
            active[easy] = transfer
            handles[ObjectIdentifier(transfer)] = easy
        }

        mutating func cancel(_ transfer: any CurlTransfer) {
            if transfer.stage == .new { transfer.stage = .cancelled }
            guard let easy = handles[ObjectIdentifier(transfer)] else { return }
            take(easy) { $0.abort(easy, .cancelled) }
        }

        mutating func abortAll(_ reason: CurlAbort) {
            for easy in Array(active.keys) { take(easy) { $0.abort(easy, reason) } }
        }

        /// Moves all transfers on, ends those that are done, and waits for the next event.
        mutating func advance() {
            var running: Int32 = 0
            let status = unsafe curl_multi_perform(multi.pointer, &running)
            guard status == CURLM_OK else {
                return abortAll(.failed(unsafe String(cString: curl_multi_strerror(status))))
            }
            var result = CURLE_OK
            while let pointer = unsafe warren_curl_multi_next_done(multi.pointer, &result) {
                let easy = unsafe EasyHandle(pointer: pointer)
                take(easy) { $0.finish(easy, result) }
            }
            // Wakes for what libcurl itself waits for, and for `curl_multi_wakeup`.
            _ = unsafe curl_multi_poll(multi.pointer, nil, 0, 3_600_000, nil)
        }

        private mutating func take(_ easy: EasyHandle, _ body: (any CurlTransfer) -> Void) {
            guard let transfer = active.removeValue(forKey: easy) else { return }
            handles[ObjectIdentifier(transfer)] = nil
            transfer.stage = .over
            body(transfer)
            unsafe curl_multi_remove_handle(multi.pointer, easy.pointer)
            unsafe curl_easy_cleanup(easy.pointer)
        }
    }
}
