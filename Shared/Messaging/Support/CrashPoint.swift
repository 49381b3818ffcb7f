#if WARREN_CRASH_POINTS
import Glibc
import Synchronization
#endif

/// A named place where a test build ends the process, as `kill -9` would.
///
/// Only builds made with `WARREN_CRASH_POINTS` set (see `Tests/Crash`) have them; in all others this is nothing, and the
/// optimiser leaves nothing of it.
enum CrashPoint {
    /// Ends the process here, if the environment says so.
    ///
    /// `WARREN_CRASH_AT=NAME:N` ends it at the Nth time; `WARREN_CRASH_LOG` names a file that gets a line for each end.
    /// Once that has two lines the points are inert: the second end falls into the recovery from the first.
    @inline(__always)
    static func reach(_ name: StaticString) {
        #if WARREN_CRASH_POINTS
        armed.reach(name)
        #endif
    }

    #if WARREN_CRASH_POINTS
    private static let armed = Armed()

    private struct Armed: ~Copyable {
        private let name: String
        private let log: String
        private let remaining: Atomic<Int>

        init() {
            let setting = getenv("WARREN_CRASH_AT").map { String(cString: $0) } ?? ""
            let parts = setting.split(separator: ":")
            log = getenv("WARREN_CRASH_LOG").map { String(cString: $0) } ?? ""
            name = parts.first.map(String.init) ?? ""
            let ends = Armed.size(of: log) / 2
            // In the recovery the first time will do.
            let number = ends == 0 ? parts.dropFirst().first.flatMap { Int($0) } ?? 1 : 1
            remaining = Atomic(ends >= 2 || log.isEmpty ? Int.max : number)
        }

        func reach(_ point: StaticString) {
            guard point.description == name, remaining.subtract(1, ordering: .relaxed).newValue == 0 else { return }
            let file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            _ = write(file, "x\n", 2)
            kill(getpid(), SIGKILL)
        }

        private static func size(of path: String) -> Int {
            var status = stat()
            return stat(path, &status) == 0 ? Int(status.st_size) : 0
        }
    }
    #endif
}
