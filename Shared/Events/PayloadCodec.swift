import JSON

/// Payloads to and from the `data` of an envelope.
extension Event {
    /// The event as JSON bytes.
    ///
    /// - Throws: what the type's `encode(to:)` throws; for synthesized conformances only a non-finite number can do so.
    public func encodedData() throws -> [UInt8] {
        try StrictJSON.encode(self)
    }

    /// Reads an event from the data of an envelope that `Envelope(decoding:)` has checked.
    ///
    /// - Throws: `EventFault` with code `.invalidData` that names the field.
    public init(decodingData bytes: [UInt8]) throws(EventFault) {
        guard !bytes.isEmpty else { throw EventFault(.invalidData, "data is missing, \(Self.type) has some") }
        do {
            self = try StrictJSON.decode(Self.self, from: bytes)
        } catch let fault as JSONFault {
            throw EventFault(fault)
        } catch let error as DecodingError {
            throw EventFault(.invalidData, error.explanation)
        } catch {
            throw EventFault(.invalidData, "\(Self.type): \(error)")
        }
    }
}

extension DecodingError {
    /// The field and what is wrong with it, without the value.
    fileprivate var explanation: String {
        switch self {
        case .keyNotFound(let key, let context):
            "\(Self.path(context.codingPath + [key])) is missing"
        case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
            "\(Self.path(context.codingPath)) is not valid: \(context.debugDescription)"
        @unknown default:
            "the data cannot be read"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("data") { path, key in
            if let index = key.intValue { "\(path)[\(index)]" } else { "\(path).\(key.stringValue)" }
        }
    }
}
