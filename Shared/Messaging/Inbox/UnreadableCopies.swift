internal import AMQP
internal import Database
import Synchronization

/// Tells copies of unreadable messages from messages that only look like them.
///
/// A message without an identity is a message of its own, whatever others look like. Only one that the broker delivers again may
/// be a copy of one that is in the table: whose acknowledgement did not arrive. It is the copy of a row with the same bytes,
/// headers and properties that was written within the last hour and before the present connection, and each such row has one copy
/// by connection at most. So five messages that are all alike are five dead letters, and still are when they come again. *What
/// is left*: where one of them was acknowledged, and another was not handled before the connection ended, that other one is
/// taken for the first one's copy.
final class UnreadableCopies: Sendable {
    /// How long after it was written a row may have a copy, in milliseconds.
    private static let longestWait: Int64 = 3_600_000
    /// More rows that look the same are not looked at.
    private static let mostRows = 1_024

    private struct State {
        var connection: UInt64 = 0
        /// The first row that was written for a message of this connection.
        var firstRow: Int64?
        /// The rows whose copies have come by this connection.
        var matched: Set<Int64> = []

        mutating func enter(_ number: UInt64) {
            if number != connection { self = State(connection: number) }
        }
    }

    private let state = Mutex(State())

    /// Finds the row whose copy a message is that comes again.
    ///
    /// - Returns: whether there is one.
    func match(
        _ arrival: Arrival,
        alike: String,
        of table: DeliveryTable,
        connection: UInt64,
        in transaction: Transaction
    ) throws -> Bool {
        let rows = try table.unreadable(
            alike,
            since: arrival.record.receivedAt - Self.longestWait,
            limit: Self.mostRows,
            in: transaction
        )
        return state.withLock { state in
            state.enter(connection)
            let row = rows.first { row in row < state.firstRow ?? .max && !state.matched.contains(row) }
            guard let row else { return false }
            // At once: another copy may be in the same commit. Should that fail, one dead letter more is no loss.
            state.matched.insert(row)
            return true
        }
    }

    /// A row has been written for a message of this connection.
    func wrote(_ row: Int64, connection: UInt64) {
        state.withLock { state in
            state.enter(connection)
            state.firstRow = min(state.firstRow ?? row, row)
        }
    }
}
