internal import AMQP
internal import Events

/// What came in, by the queue or a feed, and what it turned out to be.
///
/// An object, because it is handed on many times.
final class Arrival: Sendable {
    /// What can be read of it.
    enum Content: Sendable {
        case event(Envelope)
        /// It has no identity: its key is its own, and begins with what it has in common with its copies.
        case unreadable(EventFault, copies: String)
    }

    let record: DeliveryRecord
    /// It may have been here before, and ended the process.
    let isSuspect: Bool
    let content: Content

    /// Reads a message.
    ///
    /// Whatever is wrong with it, the result can be stored.
    ///
    /// - Parameter service: the source of the service's own events.
    convenience init(_ message: IncomingMessage, limits: EventLimits, now: Int64, for service: String) {
        let properties = message.message.properties
        self.init(
            Result { () throws(EventFault) in try EventMessage(message, limits: limits) },
            body: message.message.body,
            properties: StoredProperties(message),
            type: properties.type ?? message.routingKey,
            isSuspect: message.redelivered || message.isRepeat(by: service),
            now: now
        )
    }

    /// Reads an event of a feed.
    ///
    /// Whatever is wrong with it, the result can be stored.
    ///
    /// - Parameter isSuspect: whether its page may have been handed over before, and have ended the process.
    convenience init(_ event: [UInt8], ofFeed feed: String, isSuspect: Bool, limits: EventLimits, now: Int64) {
        let envelope = Result { () throws(EventFault) in
            EventMessage(envelope: try Envelope(decoding: event, limits: limits), body: event)
        }
        self.init(
            envelope,
            body: event,
            properties: StoredProperties(feed: feed, try? envelope.get().envelope),
            type: "",
            isSuspect: isSuspect,
            now: now
        )
    }

    private init(
        _ event: Result<EventMessage, EventFault>,
        body: [UInt8],
        properties: StoredProperties,
        type: String,
        isSuspect: Bool,
        now: Int64
    ) {
        self.isSuspect = isSuspect
        switch event {
        case .success(let event):
            let envelope = event.envelope
            content = .event(envelope)
            record = DeliveryRecord(
                key: DeliveryKey(source: envelope.source, eventID: envelope.id),
                type: envelope.type.rawValue,
                subjectKey: SubjectKey(source: envelope.source, subject: envelope.subject ?? ""),
                sequence: envelope.sequence,
                receivedAt: now,
                body: event.body,
                properties: properties
            )
        case .failure(let fault):
            // Nothing inside can be trusted as an identity: equal bytes may be two messages.
            let copies = "unreadable:\(Arrival.digest(body))\(Arrival.digest(Array(properties.identity.utf8))):"
            content = .unreadable(fault, copies: copies)
            record = DeliveryRecord(
                key: DeliveryKey(source: "", eventID: copies + UUIDv7.make()),
                type: Arrival.cleaned(type),
                subjectKey: SubjectKey(source: "", subject: ""),
                receivedAt: now,
                body: body,
                properties: properties
            )
        }
    }

    private static func cleaned(_ text: String) -> String {
        String(text.unicodeScalars.prefix(255).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : Character($0) })
    }

    /// FNV-1a in its 64-bit form, twice with different starts: an identity, no protection.
    private static func digest(_ bytes: [UInt8]) -> String {
        var first: UInt64 = 0xCBF2_9CE4_8422_2325
        var second: UInt64 = 0x6C62_272E_07BB_0142
        for byte in bytes {
            first = (first ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            second = (second ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 &+ 0x9E37_79B9
        }
        return String(first, radix: 16) + String(second, radix: 16)
    }
}

extension IncomingMessage {
    /// Whether this service has published it once more since an earlier process ended, perhaps by the first copy: no less
    /// suspect than what the broker delivers again.
    fileprivate func isRepeat(by service: String) -> Bool {
        guard let headers = message.properties.headers else { return false }
        return headers[Publication.repeatHeader] != nil && message.properties.appID == service
    }
}
