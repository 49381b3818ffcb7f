/// What identifies a delivery for one subscriber.
struct DeliveryKey: Hashable, Sendable {
    var source: String
    var eventID: String
}
