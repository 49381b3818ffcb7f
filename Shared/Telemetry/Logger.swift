/// A structured logger: a constant message with dotted metadata keys, one line per record.
///
/// Messages are constants so that they can be counted and searched; what varies goes into the metadata. Secrets and
/// personal data never go into either. A logger is a value: `with(_:)` makes a copy that carries more metadata.
public struct Logger: Sendable {
    /// How much a record matters, least first.
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        /// Every step, for finding a fault.
        case trace
        /// What a developer of the service wants to see.
        case debug
        /// What happened in normal work.
        case info
        /// Something that an operator may have to look at.
        case warning
        /// Something that an operator has to look at.
        case error

        /// The level of that name (`trace`, `debug`, `info`, `warning`, `error`), or nil.
        public init?(name: String) {
            guard let level = Level.allCases.first(where: { $0.name == name }) else { return nil }
            self = level
        }

        /// The level's name in logs and settings.
        public var name: String {
            switch self {
            case .trace: "trace"
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }

        /// Whether the left level matters less than the right one.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// Where records go.
    public let sink: any LogSink
    /// Records below this level are dropped before their metadata is built.
    public let level: Level
    /// The part of the program that speaks, `messaging.forwarder` for example.
    public let label: String
    private let metadata: [LogField]

    /// Makes a logger.
    ///
    /// - Parameters:
    ///   - label: the part of the program that speaks, in dotted form.
    ///   - level: the lowest level that is written.
    ///   - sink: where records go.
    public init(_ label: String, level: Level = .info, sink: any LogSink) {
        self.init(label: label, level: level, sink: sink, metadata: [])
    }

    private init(label: String, level: Level, sink: any LogSink, metadata: [LogField]) {
        self.label = label
        self.level = level
        self.sink = sink
        self.metadata = metadata
    }

    /// A logger that writes nothing, for tests and tools.
    public static let silent = Logger("silent", level: .error, sink: DiscardingLogSink())

    /// The same logger under another label.
    public func labelled(_ label: String) -> Logger {
        Logger(label: label, level: level, sink: sink, metadata: metadata)
    }

    /// The same logger with more metadata on every record.
    public func with(_ fields: LogField...) -> Logger {
        Logger(label: label, level: level, sink: sink, metadata: metadata + fields)
    }

    /// Writes a record, if the level is high enough.
    public func log(_ level: Level, _ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        guard level >= self.level else { return }
        sink.write(LogRecord(level: level, label: label, message: message, fields: metadata + fields()))
    }

    /// Writes a record at level `trace`.
    public func trace(_ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        log(.trace, message, fields())
    }

    /// Writes a record at level `debug`.
    public func debug(_ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        log(.debug, message, fields())
    }

    /// Writes a record at level `info`.
    public func info(_ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        log(.info, message, fields())
    }

    /// Writes a record at level `warning`.
    public func warning(_ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        log(.warning, message, fields())
    }

    /// Writes a record at level `error`.
    public func error(_ message: StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        log(.error, message, fields())
    }
}

/// One piece of metadata of a log record: a dotted key and its value.
public struct LogField: Sendable {
    /// The key, dotted and constant: `messaging.queue`.
    public let key: StaticString
    /// The value, as text.
    public let value: String
    /// Whether the value is a number and is written without quotes.
    public let isNumber: Bool

    /// A field with a text value.
    public init(_ key: StaticString, _ value: String) {
        self.key = key
        self.value = value
        self.isNumber = false
    }

    /// A field with an integer value.
    public init(_ key: StaticString, _ value: some BinaryInteger) {
        self.key = key
        self.value = String(value)
        self.isNumber = true
    }

    /// A field with a fractional value.
    public init(_ key: StaticString, _ value: Double) {
        self.key = key
        self.value = value.description
        // JSON has no numbers for infinity and what is not a number: they are written as text.
        self.isNumber = value.isFinite
    }

    /// A field that describes an error; the description must hold no secrets, as every error of the kit promises.
    public init(_ key: StaticString, error: any Error) {
        self.init(key, String(describing: error))
    }
}

/// One line of the log before it is formatted.
public struct LogRecord: Sendable {
    /// How much it matters.
    public let level: Logger.Level
    /// Who says it.
    public let label: String
    /// What is said; constant.
    public let message: StaticString
    /// What varies.
    public let fields: [LogField]
}

/// Where log records go.
///
/// A sink is called from any thread and must not block for long.
public protocol LogSink: Sendable {
    /// Takes one record.
    func write(_ record: LogRecord)
}

/// A sink that forgets everything.
public struct DiscardingLogSink: LogSink {
    /// Makes the sink.
    public init() {}
    /// Forgets the record.
    public func write(_ record: LogRecord) {}
}
