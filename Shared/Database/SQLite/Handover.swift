/// Carries a connection from the thread that opened it to the one that uses it.
///
/// Unchecked: the first thread does not touch the connection after it has started the second.
final class Handover: @unchecked Sendable {
    private var connection: SQLiteConnection?

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }

    /// Gives the connection away, so that it is closed when its user lets it go.
    func take() -> SQLiteConnection? {
        defer { connection = nil }
        return connection
    }
}
