import Glibc
import Synchronization
import Telemetry

/// Tokens in a file that may be replaced while the program runs: what is new counts within a second, what is gone no more.
///
/// Thread-safe. While the file cannot be read, or has a fault, the last tokens that it had count, and the log says so once.
final class TokenFile: Sendable {
    private struct Mark: Equatable {
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    private struct State {
        var tokens: AccessTokens
        var mark: Mark?
        var lookedAt: ContinuousClock.Instant
    }

    private static let patience: Duration = .seconds(1)

    let path: String
    private let hasRoles: Bool
    private let logger: Logger
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state: Mutex<State>

    /// Reads the file.
    ///
    /// - Throws: `AccessTokens.Fault`.
    init(
        _ path: String,
        hasRoles: Bool,
        logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) throws {
        self.path = path
        self.hasRoles = hasRoles
        self.logger = logger
        self.now = now
        let mark = Self.mark(of: path)
        state = Mutex(State(tokens: try Self.read(path, hasRoles: hasRoles), mark: mark, lookedAt: now()))
    }

    /// The tokens that count now.
    var tokens: AccessTokens {
        state.withLock { state in
            let time = now()
            guard state.lookedAt.duration(to: time) >= Self.patience else { return state.tokens }
            state.lookedAt = time
            let mark = Self.mark(of: path)
            guard mark != state.mark else { return state.tokens }
            state.mark = mark
            do {
                state.tokens = try Self.read(path, hasRoles: hasRoles)
                logger.info("the tokens were read again", [LogField("file.path", path)])
            } catch {
                logger.error(
                    "the tokens cannot be read; the last ones count",
                    [LogField("file.path", path), LogField("error", error: error)]
                )
            }
            return state.tokens
        }
    }

    /// Reads and checks a file.
    ///
    /// - Throws: `AccessTokens.Fault`.
    static func read(_ path: String, hasRoles: Bool) throws(AccessTokens.Fault) -> AccessTokens {
        let text: String
        do throws(SettingFile.Failure) {
            text = try SettingFile.read(path)
        } catch {
            throw AccessTokens.Fault(description: "the file cannot be read: \(error.reason)")
        }
        return try AccessTokens(parsing: text, hasRoles: hasRoles)
    }

    private static func mark(of path: String) -> Mark? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Mark(
            inode: UInt(status.st_ino),
            size: Int(status.st_size),
            seconds: Int(status.st_mtim.tv_sec),
            nanoseconds: Int(status.st_mtim.tv_nsec)
        )
    }
}
