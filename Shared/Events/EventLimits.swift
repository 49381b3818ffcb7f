/// What an envelope from outside may be at most.
public struct EventLimits: Sendable, Equatable {
    /// Bytes of the whole envelope.
    public var size: Int
    /// Levels of nesting; the envelope itself is the first.
    public var depth: Int

    /// Makes limits; the defaults are 1 MiB and 32 levels.
    public init(size: Int = 1 << 20, depth: Int = 32) {
        self.size = size
        self.depth = depth
    }

    /// 1 MiB and 32 levels.
    public static let standard = EventLimits()
}

/// Why bytes are not an event of this profile.
///
/// The description is for operators and names the mend where there is one.
public struct EventFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable and without variable parts; the error class of the dead letter.
    public enum Code: String, Sendable {
        /// More bytes than the limit.
        case tooLarge = "event.too-large"
        /// Deeper nesting than the limit.
        case tooDeep = "event.too-deep"
        /// Not JSON (RFC 8259).
        case malformed = "event.malformed-json"
        /// Bytes that are not UTF-8.
        case invalidUTF8 = "event.invalid-utf8"
        /// A name that occurs twice in one object.
        case duplicateKey = "event.duplicate-key"
        /// A NUL, written plainly or as an escape.
        case nul = "event.nul"
        /// A required attribute that is absent.
        case missingAttribute = "event.missing-attribute"
        /// An attribute whose value is not what CloudEvents or this profile allows.
        case invalidAttribute = "event.invalid-attribute"
        /// Data that is not what the event type promises.
        case invalidData = "event.invalid-data"
        /// Nothing that says that it is a CloudEvent.
        case notAnEvent = "event.not-a-cloudevent"
        /// An encoding, a compression, a charset or an event format that is not read.
        case unsupportedEncoding = "event.unsupported-encoding"
        /// Several events in one message.
        case batch = "event.batch"
        /// An event of a type that only another source may send.
        case foreignSource = "event.foreign-source"
    }

    /// What kind of fault.
    public let code: Code
    /// Where and what exactly.
    public let detail: String

    /// Makes a fault.
    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// The code and the detail.
    public var description: String { "\(code.rawValue): \(detail)" }
}
