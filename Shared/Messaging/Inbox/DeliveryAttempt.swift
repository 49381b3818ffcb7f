internal import Database

/// What a `Delivery` is an attempt at: a message that came in, or a row of the table.
protocol DeliveryAttempt: AnyObject, Sendable {
    /// Writes the receipt, in the transaction of the handler's effect.
    func takeReceipt(in transaction: Transaction) throws -> Delivery.Outcome

    /// Writes down that the attempt has been taken from its handler, which took too long.
    func timedOut() async
}
