import Testing

@testable import HTTP

@Suite("Signatures")
struct SignatureTests {
    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test(
        "SHA-256 gives the digests of FIPS 180 and its examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]
    )
    func digests(text: String, digest: String) {
        #expect(Self.hex(SHA256.digest(text.utf8)) == digest)
    }

    @Test("SHA-256 takes a million letters, in pieces of every length alike")
    func longDigest() {
        let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(
            Self.hex(SHA256.digest(million)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        )
        for length in 0..<140 {
            var hash = SHA256()
            hash.update(million.prefix(length / 3))
            hash.update(million.prefix(length - length / 3))
            #expect(hash.finish() == SHA256.digest(million.prefix(length)))
        }
    }

    /// RFC 4231, sections 4.2 to 4.8, without the one that is cut off.
    private static let vectors: [(key: [UInt8], data: [UInt8], code: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                """
                This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed \
                before being used by the HMAC algorithm.
                """.utf8
            ),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test("HMAC gives the codes of RFC 4231", arguments: 0..<6)
    func codes(index: Int) {
        let vector = Self.vectors[index]
        #expect(Self.hex(HMACSHA256.code(of: vector.data, key: vector.key)) == vector.code)
    }

    @Test("codes are equal when every byte is")
    func comparison() {
        #expect(HMACSHA256.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!HMACSHA256.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!HMACSHA256.areEqual([0, 2, 3], [1, 2, 3]))
        #expect(!HMACSHA256.areEqual([1, 2, 3], [1, 2]))
    }
}

@Suite("A webhook's signature")
struct WebhookSignatureTests {
    private static let now: Int64 = 1_700_000_000
    private static let body = Array(#"{"id":"evt_1"}"#.utf8)

    private func signature(_ secrets: String...) throws -> WebhookSignature {
        try #require(WebhookSignature(secrets: secrets))
    }

    private func fault(
        _ header: String?,
        body: [UInt8] = WebhookSignatureTests.body,
        now: Int64 = WebhookSignatureTests.now,
        secret: String = "whsec_a"
    ) throws -> WebhookSignature.Fault.Kind? {
        let signature = try signature(secret)
        do throws(WebhookSignature.Fault) {
            try signature.verify(header, of: body, at: now)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test("is what another implementation of the scheme writes")
    func known() throws {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_a
        let header = "t=1700000000,v1=97ea69f91fd566038386bacf87292eb0d73a8207414ee62ed313d49996fe0639"
        #expect(try signature("whsec_a").sign(Self.body, at: Self.now) == header)
        #expect(try fault(header) == nil)
    }

    @Test("counts within five minutes of its time, before and after, and not beyond")
    func tolerance() throws {
        let header = try signature("whsec_a").sign(Self.body, at: Self.now)
        for distance in [-300, 0, 300] as [Int64] { #expect(try fault(header, now: Self.now + distance) == nil) }
        for distance in [-301, 301, 1 << 40] as [Int64] {
            #expect(try fault(header, now: Self.now + distance) == .outOfTolerance)
        }
        let ancient = try signature("whsec_a").sign(Self.body, at: Int64.max)
        #expect(try fault(ancient, now: -5) == .outOfTolerance)
    }

    @Test("is of this body, byte for byte, of this secret and of this time")
    func forged() throws {
        let header = try signature("whsec_a").sign(Self.body, at: Self.now)
        #expect(try fault(header, body: Self.body + [UInt8(ascii: " ")]) == .unknown)
        #expect(try fault(header, body: []) == .unknown)
        #expect(try fault(header, secret: "whsec_b") == .unknown)
        let later = header.replacing("t=1700000000", with: "t=1700000001")
        #expect(try fault(later) == .unknown)
        // An old message with a new time: the signature is looked at before the time.
        #expect(try fault(later, now: Self.now + 9000) == .unknown)
    }

    @Test(
        "is refused without its form",
        arguments: [
            nil, "", "t=1700000000", "v1=00", "t=1700000000,v1=", "t=1700000000,v1=zz", "t=+1700000000,v1=HEX",
            "t=,v1=HEX", "t=99999999999999999999,v1=HEX", "v1=HEX", "t=1700000000,v0=HEX", "t=1700000000;v1=HEX",
            "t=1700000000,t=1700000000,v1=HEX", "t=1700000000,v1=HEX,x",
        ]
    )
    func malformed(header: String?) throws {
        let whole = try signature("whsec_a").sign(Self.body, at: Self.now)
        let hex = String(whole.suffix(64))
        #expect(try fault(header?.replacing("HEX", with: hex)) == .malformed)
        #expect(try fault(whole + String(repeating: ",v1=0", count: 2000)) == .malformed)
    }

    @Test("may be one of several, while a secret is rolled")
    func rolled() throws {
        let old = try signature("whsec_a").sign(Self.body, at: Self.now)
        let new = try signature("whsec_b").sign(Self.body, at: Self.now)
        let both = old + "," + String(new.suffix(67))
        for secret in ["whsec_a", "whsec_b"] { #expect(try fault(both, secret: secret) == nil) }
        #expect(try fault(both, secret: "whsec_c") == .unknown)
        // Others' schemes beside it do no harm, and no good.
        #expect(try fault(old + ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39") == nil)
        try signature("whsec_b", "whsec_a").verify(old, of: Self.body, at: Self.now)
        #expect(try signature("whsec_b", "whsec_a").sign(Self.body, at: Self.now) == new)
    }

    @Test("is never one of an empty secret")
    func emptySecret() {
        #expect(WebhookSignature(secret: "") == nil)
        #expect(WebhookSignature(secrets: []) == nil)
        #expect(WebhookSignature(secrets: ["whsec_a", ""]) == nil)
    }
}
