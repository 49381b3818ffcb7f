import CRabbitMQ
import Glibc

/// Threads of the client's own: they may block, which the threads of Swift's cooperative pool must not.
enum LinkThread {
    private final class Body {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// The C library decodes nested tables by recursion, as deep as a frame allows; this is room for the deepest.
    ///
    /// It is address space, not memory: what is not touched is not there.
    private static let stackSize = 32 << 20

    /// Runs `body` on a new, detached thread of that name (at most 15 bytes).
    ///
    /// - Returns: false when the system gives no thread.
    @discardableResult
    static func start(named name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackSize)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let argument = unsafe Unmanaged.passRetained(Body(name, body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread,
            &attributes,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue()
                warren_block_signals()
                unsafe warren_name_thread(body.name)
                body.run()
                return nil
            },
            argument.toOpaque()
        )
        guard status == 0 else {
            unsafe argument.release()
            return false
        }
        return true
    }
}
