/// How the command ends, for scripts.
enum ExitCode: Int32, Sendable, CaseIterable {
    case done = 0
    case failed = 1
    case usage = 2
    case notFound = 3
    case notAllowed = 4
    /// Timed out, or a condition that was waited for is not met.
    case notMet = 5
    /// Some of several things were done, others failed.
    case partlyFailed = 6
    case unreachable = 7

    /// In words, for help.
    var meaning: String {
        switch self {
        case .done: "done"
        case .failed: "failed"
        case .usage: "the command line cannot be understood"
        case .notFound: "not found"
        case .notAllowed: "not allowed"
        case .notMet: "timed out, or the condition is not met"
        case .partlyFailed: "partly failed"
        case .unreachable: "a service or the broker cannot be reached"
        }
    }
}

/// A command could not do what it was asked; says how to mend it where that is known.
struct CommandFailure: Error, Equatable {
    let code: ExitCode
    /// What went wrong.
    let message: String
    /// What to do about it.
    var mend: String?

    init(_ code: ExitCode, _ message: String, mend: String? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
    }
}
