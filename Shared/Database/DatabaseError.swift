/// An error of the database.
///
/// Its text may hold a statement's SQL and the names of tables and columns, but no SQL arguments and no stored values,
/// so that it can be logged.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
    /// What kind of error it is.
    public enum Code: Sendable, Equatable {
        /// The URL names no database that this module can open.
        case invalidURL
        /// The file cannot be opened, or belongs to another process.
        case cannotOpen
        /// Somebody else holds what is needed.
        case busy
        /// The disk is full.
        case full
        /// The file or its file system does not take writes.
        case readOnly
        /// The system could not read or write the file.
        case ioFailed
        /// The file is damaged, or no database.
        case corrupt
        /// A constraint of the schema was violated; `unique` when another row has the same key.
        case constraint(unique: Bool)
        /// The migrations that the program brings do not fit those that the database has had.
        case migration
        /// The program uses the database wrongly: bad SQL, wrong arguments, a transaction after its closure.
        case misuse
        /// A value has another type than asked for, or does not fit.
        case conversion
        /// A read, or the SQL of a write, took longer than its deadline.
        case timedOut
        /// The database has been closed.
        case closed
        /// Anything else.
        case other
    }

    /// What kind of error it is.
    public let code: Code
    /// What happened, for people.
    public let reason: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: what kind of error it is.
    ///   - reason: what happened; must hold no SQL arguments.
    public init(code: Code, reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Whether the same operation may succeed later without a change.
    public var isTransient: Bool {
        switch code {
        case .busy, .full, .ioFailed, .readOnly, .timedOut: true
        case .invalidURL, .cannotOpen, .corrupt, .constraint, .migration, .misuse, .conversion, .closed, .other: false
        }
    }

    /// Whether the same operation fails every time, until somebody changes the program, the schema or the arguments.
    ///
    /// Neither transient nor permanent is what somebody else may mend meanwhile: a file that cannot be opened, one that is
    /// damaged, a database that this program has closed.
    public var isPermanent: Bool {
        switch code {
        case .constraint, .misuse, .conversion, .invalidURL, .migration: true
        case .busy, .full, .ioFailed, .readOnly, .timedOut, .cannotOpen, .corrupt, .closed, .other: false
        }
    }

    /// Code and reason.
    public var description: String { "\(code): \(reason)" }
}
