internal import CJWT
import Glibc
internal import JSON

/// What a verified JSON Web Token (RFC 7519) says.
public struct WebToken: Sendable, Equatable {
    /// `sub`: whose token it is.
    public let subject: String

    /// What a token would say.
    public init(subject: String) {
        self.subject = subject
    }
}

/// Why a token does not count; for whoever sent it, without anything of the key.
public struct WebTokenFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence.
    public let description: String

    /// Makes a fault.
    public init(_ description: String) {
        self.description = description
    }
}

/// Verifies signed JSON Web Tokens with one key and one algorithm, by libjwt.
///
/// The algorithm is the program's, never the token's: a public key is no shared secret, whatever a token's head says.
/// Thread-safe.
public struct WebTokenVerifier: Sendable {
    /// How tokens are signed (RFC 7518, section 3.1).
    public enum Algorithm: String, Sendable, CaseIterable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case hs256 = "HS256"
        case hs384 = "HS384"
        case hs512 = "HS512"

        var code: jwt_alg_t { unsafe rawValue.withCString { unsafe jwt_str_alg($0) } }
        /// Whether the key is a secret that signs and verifies.
        var isSymmetric: Bool { rawValue.hasPrefix("HS") }
    }

    /// No token is longer.
    static let longest = 8 << 10
    /// How far the clocks of issuer and verifier may differ, in seconds.
    static let leeway = 30

    private let key: [UInt8]
    private let algorithm: Algorithm
    private let issuer: String?
    private let audience: String?
    private let now: @Sendable () -> Int64

    /// Makes a verifier.
    ///
    /// - Parameters:
    ///   - key: the public key in PEM form, or for HS… the secret, 32 bytes at least.
    ///   - algorithm: the one that counts.
    ///   - issuer: what `iss` must be; nil for any.
    ///   - audience: what `aud` must be or contain; nil for any.
    ///   - now: seconds since 1970; the system's clock unless given.
    /// - Throws: `WebTokenFault` for a key that cannot be one.
    public init(
        key: [UInt8],
        algorithm: Algorithm,
        issuer: String? = nil,
        audience: String? = nil,
        now: (@Sendable () -> Int64)? = nil
    ) throws(WebTokenFault) {
        let isPEM = String(decoding: key.prefix(64), as: UTF8.self).contains("-----BEGIN PUBLIC KEY-----")
        if algorithm.isSymmetric {
            guard !isPEM else { throw WebTokenFault("it is a public key; \(algorithm.rawValue) wants a shared secret") }
            guard key.count >= 32 else { throw WebTokenFault("a secret has at least 32 bytes: openssl rand -hex 32") }
        } else {
            guard isPEM else {
                throw WebTokenFault("it is no public key in PEM form (-----BEGIN PUBLIC KEY-----)")
            }
        }
        self.key = key
        self.algorithm = algorithm
        self.issuer = issuer
        self.audience = audience
        self.now = now ?? { Int64(time(nil)) }
    }

    /// Verifies a token: signature, algorithm, `exp` (which it must have), `nbf`, `iss`, `aud` and `sub`.
    ///
    /// - Throws: `WebTokenFault`.
    public func verify(_ text: String) throws(WebTokenFault) -> WebToken {
        guard text.utf8.count <= Self.longest, !text.utf8.contains(0) else {
            throw WebTokenFault("The token is longer than \(Self.longest) bytes.")
        }
        var decoded: OpaquePointer?
        let status = unsafe key.withUnsafeBufferPointer { bytes in
            unsafe jwt_decode(&decoded, text, bytes.baseAddress, Int32(bytes.count))
        }
        guard status == 0, let token = unsafe decoded else {
            throw WebTokenFault("The token's signature is not that of the key, or it is no signed token.")
        }
        defer { unsafe jwt_free(token) }
        guard unsafe jwt_get_alg(token) == algorithm.code else {
            throw WebTokenFault("The token is not signed by \(algorithm.rawValue).")
        }
        guard let claims = unsafe Self.claims(of: token) else {
            throw WebTokenFault("The token's claims cannot be read.")
        }
        let time = now()
        guard let expires = claims["exp"]?.integer else { throw WebTokenFault("The token has no `exp`.") }
        guard expires > time - Int64(Self.leeway) else { throw WebTokenFault("The token has expired.") }
        if let notBefore = claims["nbf"] {
            guard let start = notBefore.integer, start <= time + Int64(Self.leeway) else {
                throw WebTokenFault("The token is not valid yet.")
            }
        }
        if let issuer, claims["iss"]?.text != issuer { throw WebTokenFault("The token's `iss` is another one.") }
        if let audience {
            let named = claims["aud"]?.text.map { [$0] } ?? claims["aud"]?.array?.compactMap(\.text) ?? []
            guard named.contains(audience) else { throw WebTokenFault("The token is for another `aud`.") }
        }
        guard let subject = claims["sub"]?.text, (1...255).contains(subject.utf8.count),
            subject.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            throw WebTokenFault("The token's `sub` must have 1 to 255 bytes without control characters.")
        }
        return WebToken(subject: subject)
    }

    /// All claims, read strictly.
    private static func claims(of token: OpaquePointer) -> JSONValue? {
        guard let json = unsafe jwt_get_grants_json(token, nil) else { return nil }
        defer { unsafe free(json) }
        let bytes = unsafe Array(String(cString: json).utf8)
        return try? JSONValue(parsing: bytes)
    }
}
