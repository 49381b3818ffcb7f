import HTTP
import Testing

@Suite("A customer's web token")
struct WebTokenTests {
    private typealias Fixtures = WebTokenFixtures

    private static func verifier(
        _ key: [UInt8] = Fixtures.rsaKey,
        _ algorithm: WebTokenVerifier.Algorithm = .rs256
    ) throws -> WebTokenVerifier {
        try WebTokenVerifier(
            key: key,
            algorithm: algorithm,
            issuer: "https://login.example",
            audience: "shop",
            now: { Fixtures.now }
        )
    }

    @Test(
        "counts when key, algorithm, times, issuer and audience are right",
        arguments: [
            Fixtures.good, Fixtures.audienceList,
        ]
    )
    func good(token: String) throws {
        #expect(try Self.verifier().verify(token).subject == "customer-7")
    }

    @Test("counts with elliptic curves and with a shared secret")
    func otherAlgorithms() throws {
        #expect(try Self.verifier(Fixtures.ellipticKey, .es256).verify(Fixtures.es256).subject == "customer-7")
        #expect(try Self.verifier(Fixtures.secret, .hs256).verify(Fixtures.hs256).subject == "customer-7")
    }

    @Test(
        "is refused for the one thing that is wrong with it",
        arguments: [
            ("expired", Fixtures.expired), ("`exp`", Fixtures.unending), ("yet", Fixtures.notYet),
            ("`iss`", Fixtures.otherIssuer), ("`aud`", Fixtures.otherAudience), ("`sub`", Fixtures.noSubject),
            ("`sub`", Fixtures.emptySubject), ("signature", Fixtures.otherKey), ("signature", Fixtures.unsigned),
            ("signature", Fixtures.changed), ("RS256", Fixtures.rs512), ("signature", "no token"), ("signature", ""),
            ("signature", Fixtures.good + "A"), ("longer", String(repeating: "a", count: 9000)),
        ]
    )
    func refused(word: String, token: String) throws {
        let verifier = try Self.verifier()
        let fault = #expect(throws: WebTokenFault.self) { try verifier.verify(token) }
        #expect(fault?.description.contains(word) == true, "\(String(describing: fault))")
    }

    @Test("that was signed with the public key as if it were a secret is refused")
    func confusion() throws {
        let verifier = try Self.verifier()
        #expect(throws: WebTokenFault.self) { try verifier.verify(Fixtures.hmacWithPublicKey) }
    }

    @Test("needs a key of the algorithm's kind")
    func keys() {
        #expect(throws: WebTokenFault.self) { try WebTokenVerifier(key: Fixtures.rsaKey, algorithm: .hs256) }
        #expect(throws: WebTokenFault.self) { try WebTokenVerifier(key: Fixtures.secret, algorithm: .rs256) }
        #expect(throws: WebTokenFault.self) { try WebTokenVerifier(key: Array("short".utf8), algorithm: .hs256) }
    }
}
