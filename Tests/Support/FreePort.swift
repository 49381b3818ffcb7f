import Glibc
import Synchronization

/// Ports of 127.0.0.1 for servers under test.
public enum FreePort {
    private static let given = Mutex<Set<UInt16>>([])

    /// A port that nothing listens on, and that the tests of this machine give out once only while this process lives:
    /// another run of them may be under way.
    ///
    /// Below the range of outgoing connections, so that none of those takes it before the server does, and above the
    /// ports that the scripts choose for brokers.
    public static func next() throws -> UInt16 {
        for _ in 0..<200 {
            let port = UInt16.random(in: 26_000..<32_000)
            guard given.withLock({ $0.insert(port).inserted }) else { continue }
            guard let socket = try? Socket.listen(on: port) else { continue }
            socket.close()
            if Socket.reserve(port) { return port }
        }
        throw TimedOut("no free port between 26000 and 32000")
    }
}
