import HTTP
import Messaging

/// What the courier's API answers, held against what was asked.
struct CourierAnswer {
    /// A shipment as the courier shows it; also what goes with an error that is about one.
    private struct Body: Decodable {
        let id: String
        let version: Int
        let state: String
        let trackingCode: String?
    }

    private struct Failure: Decodable {
        struct Content: Decodable {
            let code: String
            let id: String?
            let version: Int?
            let trackingCode: String?
        }
        let error: Content
    }

    let response: HTTPClient.Response
    /// The shipment that was asked about.
    let id: String

    /// What a success says of the shipment.
    func word() throws -> Shipment.Word {
        let body = try decode(Body.self)
        try check(body.id)
        switch body.state {
        case "booked": return .booked(version: body.version)
        case "dispatched": return .dispatched(try parcel(body.trackingCode, body.version))
        case "delivered": return .delivered(try parcel(body.trackingCode, body.version))
        case "returning": return .returning(try parcel(body.trackingCode, body.version))
        case "called_off": return .calledOff
        default: throw Self.contradiction("the courier's shipment has a state that is none")
        }
    }

    /// What a booking of that version was answered with.
    func word(bookingOf version: Int) throws -> Shipment.Word {
        switch response.status {
        case 200, 201:
            let word = try word()
            guard word == .booked(version: version) else {
                throw Self.contradiction("the courier took another address than it was given, or says something else")
            }
            return word
        case 409: return try conflict(with: version)
        case 422:
            let failure = try failure()
            guard failure.code == "unknown_address" else { throw refused(failure.code) }
            return .refused(version: version, reason: failure.code)
        default: throw refused(try failure().code)
        }
    }

    private func conflict(with version: Int) throws -> Shipment.Word {
        let failure = try failure()
        switch failure.code {
        case "stale_address":
            guard let newer = failure.version, newer > version else {
                throw Self.contradiction("the courier calls an address old that is the newest it says it has")
            }
            return .booked(version: newer)
        case "already_dispatched": return .dispatched(try parcel(failure.trackingCode, failure.version))
        case "already_delivered": return .delivered(try parcel(failure.trackingCode, failure.version))
        case "called_off": return .calledOff
        default: throw refused(failure.code)
        }
    }

    /// What a call to call off was answered with.
    func wordOfCallingOff() throws -> Shipment.Word {
        switch response.status {
        case 200:
            let word = try word()
            switch word {
            case .calledOff, .returning: return word
            case .booked, .refused, .dispatched, .delivered, .unknown:
                throw Self.contradiction("the courier was to call a shipment off, and says that it goes on")
            }
        case 409:
            let failure = try failure()
            guard failure.code == "already_delivered" else { throw refused(failure.code) }
            return .delivered(try parcel(failure.trackingCode, failure.version))
        default: throw refused(try failure().code)
        }
    }

    /// What a look-up was answered with.
    func wordOfLookUp() throws -> Shipment.Word {
        switch response.status {
        case 200: return try word()
        case 404:
            // Somebody in between who finds nothing there says nothing of the shipment.
            let failure = try failure()
            guard failure.code == "unknown_shipment" else { throw refused(failure.code) }
            return .unknown
        default: throw refused(try failure().code)
        }
    }

    // MARK: Helpers

    /// The error of an answer; it may name a shipment, and then it has to be the right one.
    private func failure() throws -> Failure.Content {
        let failure = try decode(Failure.self).error
        if let named = failure.id { try check(named) }
        return failure
    }

    private func check(_ named: String) throws {
        guard named == id else { throw Self.contradiction("the courier answers about another shipment") }
    }

    private func parcel(_ trackingCode: String?, _ version: Int?) throws -> Shipment.Parcel {
        guard let version, let trackingCode, Shipment.Parcel.isTrackingCode(trackingCode) else {
            throw Self.contradiction(
                "the courier has a parcel without an address's version, or without a tracking code"
            )
        }
        return Shipment.Parcel(trackingCode: trackingCode, version: version)
    }

    private func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try response.decode(type)
        } catch {
            // Cut off, or no JSON: what it meant to say is not known.
            throw HandlerError.transient(
                "courier.unreadable",
                "the courier's answer (\(response.status)) cannot be read"
            )
        }
    }

    private func refused(_ code: String) -> HandlerError {
        let isCode = code.utf8.count <= 64 && code.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 }
        return .permanent(
            "courier.refused",
            "the courier answers with status \(response.status), code \(isCode ? code : "(unreadable)")"
        )
    }

    private static func contradiction(_ reason: String) -> HandlerError { .permanent("courier.contradiction", reason) }
}

extension Shipment.Parcel {
    /// Whether a text can be the courier's name of a parcel: up to 64 visible characters of ASCII.
    static func isTrackingCode(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
