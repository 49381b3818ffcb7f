import Events

/// Something of this service's own, never published: the provider has said by webhook that an object of its has changed.
///
/// It says which, and nothing else: what it is now, Payment looks up.
struct ProviderNotice: Event, Equatable {
    static let type: EventType = "dev.warren.payment.provider-notice"
    /// The provider's id of its event, `evt_…`.
    let eventID: String
    /// The provider's name of what happened, `refund.updated`.
    let what: String
    /// The intent that it is about, itself or its charge.
    let intent: String
    /// The dispute, where it is about one.
    let dispute: String?
    /// The order, where the provider or the database said so; else the intent.
    let subject: String

    /// Whether it is about the charge alone: of one that is known it says nothing more.
    var isOfCharge: Bool { what.hasPrefix("payment_intent.") }

    /// Under which key it is scheduled.
    var key: String { "webhook:\(eventID)" }
}
