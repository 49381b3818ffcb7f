import Glibc

/// What every benchmark is given.
struct Setting {
    /// The broker's AMQP URI.
    var broker: String
    /// The broker's folder, where its process id lies; nil when it is not ours.
    var brokerFolder: String?
    /// Where the executables are.
    var programs: String
    /// Where databases and logs go.
    var folder: String
    /// How many times each case is run.
    var rounds: Int

    /// This program, whose workers are measured.
    var runner: String { "\(programs)/benchmarks" }
    /// The C program.
    var reference: String { "\(programs)/benchmark-reference" }

    /// Says on standard error how far it is.
    static func note(_ text: String) {
        Standard.error(text)
    }
}

/// The two that are compared.
enum Side: String, CaseIterable {
    case swift
    case c

    /// Who goes first changes from round to round.
    static func order(inRound round: Int) -> [Side] {
        round.isMultiple(of: 2) ? [.swift, .c] : [.c, .swift]
    }
}

/// The standard streams.
enum Standard {
    /// Writes a line to standard error.
    static func error(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        // There is nobody to tell if that fails.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
