/// Why bytes are not JSON as this module takes it, and where.
public struct JSONFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of fault.
    public enum Code: Sendable {
        /// Not JSON (RFC 8259).
        case malformed
        /// Bytes that are not UTF-8.
        case invalidUTF8
        /// A name that occurs twice in one object, however it is escaped.
        case duplicateKey
        /// A NUL, written plainly or as an escape.
        case nul
        /// More levels of nesting than allowed.
        case tooDeep
    }

    /// What kind of fault.
    public let code: Code
    /// What exactly, as the end of a sentence.
    public let reason: String
    /// The byte at which it was found, from 0.
    public let offset: Int

    /// Makes a fault.
    public init(_ code: Code, _ reason: String, at offset: Int) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// The reason and the place.
    public var description: String { "\(reason), at byte \(offset)" }
}
