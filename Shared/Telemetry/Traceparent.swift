/// The place of a piece of work in a trace: the W3C Trace Context header `traceparent`.
///
/// Source: https://www.w3.org/TR/trace-context-1/#traceparent-header
public struct Traceparent: Sendable, Hashable, CustomStringConvertible {
    /// The whole trace: 32 lower-case hexadecimal digits, not all zero.
    public let traceID: String
    /// The span that is the parent of what follows: 16 lower-case hexadecimal digits, not all zero.
    public let parentID: String
    /// Whether the caller may have recorded the trace.
    public let isSampled: Bool

    private init(traceID: String, parentID: String, isSampled: Bool) {
        self.traceID = traceID
        self.parentID = parentID
        self.isSampled = isSampled
    }

    /// Reads a header's value; nil when it is not valid, and then a new trace begins, as the standard demands.
    ///
    /// A version later than ours is read as far as ours goes.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 55, bytes.count <= 512,
            bytes[2] == UInt8(ascii: "-"), bytes[35] == UInt8(ascii: "-"), bytes[52] == UInt8(ascii: "-"),
            let version = Self.hexadecimal(bytes[0..<2]), version != "ff",
            version != "00" || bytes.count == 55,
            bytes.count == 55 || bytes[55] == UInt8(ascii: "-"),
            let traceID = Self.hexadecimal(bytes[3..<35]), traceID.contains(where: { $0 != "0" }),
            let parentID = Self.hexadecimal(bytes[36..<52]), parentID.contains(where: { $0 != "0" }),
            let flags = Self.hexadecimal(bytes[53..<55]), let bits = UInt8(flags, radix: 16)
        else { return nil }
        self.init(traceID: traceID, parentID: parentID, isSampled: bits & 1 == 1)
    }

    /// The beginning of a new trace.
    public static func newTrace(isSampled: Bool = true) -> Traceparent {
        var generator = SystemRandomNumberGenerator()
        return newTrace(isSampled: isSampled, using: &generator)
    }

    /// The beginning of a new trace, with the randomness passed in.
    public static func newTrace(
        isSampled: Bool = true,
        using generator: inout some RandomNumberGenerator
    ) -> Traceparent {
        let traceID = identifier(using: &generator) + identifier(using: &generator)
        return Traceparent(traceID: traceID, parentID: identifier(using: &generator), isSampled: isSampled)
    }

    /// A new span of the same trace, for the next hop.
    public func child() -> Traceparent {
        var generator = SystemRandomNumberGenerator()
        return child(using: &generator)
    }

    /// A new span of the same trace, with the randomness passed in.
    public func child(using generator: inout some RandomNumberGenerator) -> Traceparent {
        Traceparent(traceID: traceID, parentID: Self.identifier(using: &generator), isSampled: isSampled)
    }

    /// The header's value, in version 00.
    public var description: String { "00-\(traceID)-\(parentID)-\(isSampled ? "01" : "00")" }

    /// 16 hexadecimal digits that are not all zero.
    private static func identifier(using generator: inout some RandomNumberGenerator) -> String {
        let digits = String(UInt64.random(in: 1...UInt64.max, using: &generator), radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String? {
        let isValid = bytes.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        return isValid ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
