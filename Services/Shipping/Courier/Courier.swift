import ShopEvents

/// What Shipping asks of the company that carries parcels.
///
/// Each call can be repeated, and so is whenever its outcome is not known. All throw `HandlerError`: deferred where time helps,
/// permanent where the courier refuses for good or its answer is about something else than was asked. No address is in any of them.
protocol Courier: Sendable {
    /// Tells of a shipment's address; the newest one counts there, whatever the order of arrival.
    func book(_ id: String, _ address: PostalAddress, version: Int) async throws -> Shipment.Word
    /// What the courier knows of a shipment.
    func lookUp(_ id: String) async throws -> Shipment.Word
    /// Calls a shipment off, or back where it has left; a booking that comes later is refused.
    func callOff(_ id: String) async throws -> Shipment.Word
}
