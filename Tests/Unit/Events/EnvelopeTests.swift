import Testing

@testable import Events

@Suite("An envelope on the wire")
struct EnvelopeTests {
    static let valid = Envelope(
        id: "0198c0de-0000-7000-8000-000000000001",
        source: "/order-service",
        type: "dev.warren.order.placed",
        subject: "order-1",
        time: "2026-01-01T00:00:00.000Z",
        sequence: 7,
        correlationID: "flow \"1\" \\ é",
        causationID: "cause-1",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data: Array(#"{"total":{"amount":1250,"currency":"EUR"},"note":"é\n"}"#.utf8)
    )

    @Test("comes back as it was written")
    func roundTrip() throws {
        #expect(try Envelope(decoding: Self.valid.encoded()) == Self.valid)
        var bare = Self.valid
        bare.sequence = nil
        bare.correlationID = nil
        bare.causationID = nil
        bare.traceparent = nil
        bare.data = Array("null".utf8)
        #expect(try Envelope(decoding: bare.encoded()) == bare)
    }

    @Test("has the attributes of CloudEvents 1.0 in their order")
    func bytes() {
        let text = String(decoding: Self.valid.encoded(), as: UTF8.self)
        #expect(
            text.hasPrefix(
                #"{"specversion":"1.0","id":"0198c0de-0000-7000-8000-000000000001","source":"/order-service""#
            )
        )
        #expect(text.contains(#""datacontenttype":"application/json""#))
        #expect(text.contains(#""sequence":"00000000000000000007""#))
        #expect(text.contains(#""correlationid":"flow \"1\" \\ é""#))
    }

    @Test("gives single attributes of what was written, and none that only look like it")
    func singleAttributes() {
        var envelope = Self.valid
        envelope.subject = #","correlationid":"false friend""#
        envelope.data = Array(#"{"a":1,"traceparent":"not this"}"#.utf8)
        let bytes = envelope.encoded()
        #expect(Envelope.attribute("correlationid", ofEncoded: bytes) == "flow \"1\" \\ é")
        #expect(Envelope.attribute("traceparent", ofEncoded: bytes) == envelope.traceparent)
        #expect(Envelope.attribute("subject", ofEncoded: bytes) == envelope.subject)
        envelope.traceparent = nil
        #expect(Envelope.attribute("traceparent", ofEncoded: envelope.encoded()) == nil)
        envelope.correlationID = nil
        #expect(Envelope.attribute("correlationid", ofEncoded: envelope.encoded()) == nil)
        for length in 0...bytes.count {
            // Cut off anywhere it is no envelope, and must not be read past its end.
            _ = Envelope.attribute("traceparent", ofEncoded: Array(bytes[..<length]))
        }
    }

    /// A valid envelope with one attribute's JSON replaced, or removed when nil.
    private func text(_ name: String, _ json: String?) -> [UInt8] {
        let members: [(String, String)] = [
            ("specversion", #""1.0""#), ("id", #""id-1""#), ("source", #""/s""#), ("type", #""t""#),
            ("subject", #""s""#), ("time", #""2026-01-01T00:00:00Z""#), ("data", "{}"),
        ]
        var kept = members.compactMap { $0.0 == name ? json.map { (name, $0) } : $0 }
        if let json, !members.contains(where: { $0.0 == name }) { kept.append((name, json)) }
        return Array(("{" + kept.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}").utf8)
    }

    @Test(
        "without a required attribute is refused by its name",
        arguments: ["specversion", "id", "source", "type", "subject", "time", "data"]
    )
    func missing(name: String) throws {
        let fault = #expect(throws: EventFault.self) { try Envelope(decoding: text(name, nil)) }
        #expect(fault?.code == .missingAttribute)
        #expect(fault?.detail.contains(name) == true)
    }

    @Test(
        "with an attribute that is not allowed is refused by its name",
        arguments: [
            ("specversion", #""0.3""#), ("id", "17"), ("id", #""""#), ("source", #""a\u0007b""#), ("type", "{}"),
            ("subject", "[]"), ("time", #""yesterday""#), ("time", #""2026-02-30T00:00:00Z""#),
            ("sequence", #""-1""#), ("sequence", "5"), ("sequence", #""99999999999999999999""#),
            ("datacontenttype", #""text/xml""#), ("subject", "\"" + String(repeating: "x", count: 256) + "\""),
        ]
    )
    func invalid(name: String, json: String) throws {
        let fault = #expect(throws: EventFault.self) { try Envelope(decoding: text(name, json)) }
        #expect(fault?.code == .invalidAttribute)
        #expect(fault?.detail.contains(name) == true)
    }

    @Test("passes over attributes that it does not know")
    func unknownAttributes() throws {
        #expect(try Envelope(decoding: text("somethingelse", #"{"a":[1]}"#)).id == "id-1")
    }

    @Test("larger than the limit is refused before it is read")
    func tooLarge() throws {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 2 << 20)
        let fault = #expect(throws: EventFault.self) { try Envelope(decoding: bytes) }
        #expect(fault?.code == .tooLarge)
    }
}

@Suite("Identifiers and times")
struct IdentifierTests {
    @Test("UUIDv7 identifiers are distinct, well-formed and increase")
    func uuid() throws {
        let ids = (0..<10_000).map { _ in UUIDv7.make() }
        #expect(Set(ids).count == ids.count)
        #expect(ids == ids.sorted())
        let id = try #require(ids.first)
        #expect(id.count == 36)
        let characters = Array(id)
        #expect(characters[14] == "7")
        #expect("89ab".contains(characters[19]))
        let milliseconds = try #require(Int64(id.replacing("-", with: "").prefix(12), radix: 16))
        #expect(abs(milliseconds - WallClock.milliseconds()) < 60_000)
    }
}
