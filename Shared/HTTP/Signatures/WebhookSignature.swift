/// Signs what is told by webhook, and verifies it, by Stripe's scheme.
///
/// A header, `Stripe-Signature` say, holds `t=1700000000,v1=5257a8…`: when it was signed, in seconds since 1970, and the
/// HMAC-SHA-256, in hex, of the time as it is written, a full stop and the body's raw bytes (Stripe, "Verify webhook signatures
/// manually"). There may be several `v1`, of a secret that is being rolled; other schemes (`v0`) count for nothing.
///
/// The body is the bytes that came, never what somebody made of them. An empty secret verifies nothing: there is no value with one.
public struct WebhookSignature: Sendable {
    /// Why a message does not count; for whoever sent it, without anything of the secret.
    public struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        /// What was wrong.
        public enum Kind: Sendable, Equatable {
            /// There is no header, or it has not the form.
            case malformed
            /// It was signed too long ago, or in the future: a replay, or a clock that is wrong.
            case outOfTolerance
            /// No secret of ours made it.
            case unknown
        }

        /// What was wrong.
        public let kind: Kind

        /// One sentence.
        public var description: String {
            switch kind {
            case .malformed: "the signature is missing or has not the form `t=…,v1=…`"
            case .outOfTolerance: "the signature's time is too far from now"
            case .unknown: "the signature is of another secret, or of another body"
            }
        }
    }

    /// How far a signature's time may be from now, in seconds, as Stripe's libraries have it.
    public static let standardTolerance: Int64 = 300
    /// No header is longer, in bytes.
    private static let longest = 4096

    private let secrets: [[UInt8]]

    /// Makes what signs and verifies with one secret.
    /// - Returns: nil when the secret is empty, which would verify whatever anybody signs with nothing.
    public init?(secret: String) {
        self.init(secrets: [secret])
    }

    /// Makes what signs with the first of several secrets and verifies with any, as while one is rolled.
    /// - Returns: nil when there is none, or one of them is empty.
    public init?(secrets: [String]) {
        guard !secrets.isEmpty, secrets.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.secrets = secrets.map { Array($0.utf8) }
    }

    /// The header of a message.
    /// - Parameter time: when it is signed, in seconds since 1970.
    public func sign(_ body: [UInt8], at time: Int64) -> String {
        "t=\(time),v1=\(Self.hex(code(of: body, time: String(time), secret: secrets[0])))"
    }

    /// Verifies a message.
    ///
    /// - Parameters:
    ///   - header: what came in the header; nil when there was none.
    ///   - body: the raw bytes.
    ///   - now: seconds since 1970.
    ///   - tolerance: how far the time of signing may be from `now`, before or after, in seconds.
    /// - Throws: `Fault`. Whether the time is too old is said only of what a secret of ours made.
    public func verify(
        _ header: String?,
        of body: [UInt8],
        at now: Int64,
        tolerance: Int64 = standardTolerance
    ) throws(Fault) {
        guard let header, header.utf8.count <= Self.longest else { throw Fault(kind: .malformed) }
        var time: Substring?
        var given: [[UInt8]] = []
        for item in header.split(separator: ",") {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw Fault(kind: .malformed) }
            switch pair[0] {
            case "t":
                // Two times would let a reader check the one and believe the other.
                guard time == nil else { throw Fault(kind: .malformed) }
                time = pair[1]
            case "v1": if let code = Self.bytes(hex: pair[1]) { given.append(code) }
            default: break
            }
        }
        guard let time, let seconds = Self.seconds(time), !given.isEmpty else { throw Fault(kind: .malformed) }
        var isOurs = false
        for secret in secrets {
            let expected = code(of: body, time: String(time), secret: secret)
            // Each is looked at, whichever it is that fits.
            for code in given where HMACSHA256.areEqual(code, expected) { isOurs = true }
        }
        guard isOurs else { throw Fault(kind: .unknown) }
        let (distance, overflow) = now.subtractingReportingOverflow(seconds)
        guard !overflow, distance.magnitude <= tolerance.magnitude else { throw Fault(kind: .outOfTolerance) }
    }

    private func code(of body: [UInt8], time: String, secret: [UInt8]) -> [UInt8] {
        HMACSHA256.code(of: Array(time.utf8) + [UInt8(ascii: ".")] + body, key: secret)
    }

    /// Digits alone: what is signed is the text, so `+5` and `5` are not the same.
    private static func seconds(_ text: Substring) -> Int64? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int64(text)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func bytes(hex text: Substring) -> [UInt8]? {
        let digits = text.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        guard digits.count == text.utf8.count, digits.count == SHA256.digestLength * 2 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
