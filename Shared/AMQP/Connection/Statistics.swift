/// What a publisher or a consumer has counted since it was made.
public struct Statistics: Sendable, Equatable {
    /// Connections that became ready.
    public var connections = 0
    /// Connections that became ready after an earlier one was lost.
    public var reconnects: Int { max(0, connections - 1) }
    /// Messages that the broker confirmed and routed.
    public var confirmed = 0
    /// Messages that the broker gave back as unroutable.
    public var returned = 0
    /// Messages that the broker refused.
    public var nacked = 0
    /// Messages in flight at the loss of a connection: they may have arrived.
    public var unknown = 0
    /// Messages that wait to be sent now: for a connection, for room in the window, or for the broker to unblock.
    public var waiting = 0
    /// Messages that are sent and wait for their confirm now.
    public var inFlight = 0
    /// Messages that were delivered.
    public var delivered = 0
    /// Acks and rejects that were written.
    public var settled = 0
    /// Acks and rejects of an earlier connection, or given twice, which were dropped.
    public var staleAcks = 0
    /// Calls into the C library that hung and were ended from outside.
    public var hungCalls = 0

    /// Makes statistics of zeros.
    public init() {}
}
