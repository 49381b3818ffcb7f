import JSON
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
        arguments: ["specversion", "id", "source", "type"]
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
            ("subject", "\"" + String(repeating: "x", count: 2_049) + "\""),
            ("type", "\"" + String(repeating: "x", count: 256) + "\""), ("data_base64", #""e30=""#),
        ]
    )
    func invalid(name: String, json: String) throws {
        let fault = #expect(throws: EventFault.self) { try Envelope(decoding: text(name, json)) }
        #expect(fault?.code == .invalidAttribute)
        #expect(fault?.detail.contains(name) == true)
    }

    @Test("keeps attributes that it does not know, whatever their values, but for null")
    func unknownAttributes() throws {
        let read = try Envelope(decoding: text("somethingelse", #"{"a":[1]}"#))
        #expect(read.extensions == ["somethingelse": ["a": [1]]])
        #expect(try Envelope(decoding: read.encoded()) == read)
        #expect(try Envelope(decoding: text("unset", "null")).extensions.isEmpty)
        let number = try Envelope(decoding: text("rate", "[2.5e3, 0.5]"))
        #expect(number.extensions == ["rate": [2500, .number(0.5)]])
        #expect(try Envelope(decoding: number.encoded()) == number)
        #expect(try Envelope(decoding: text("partitionkey", #""p""#)).extensions == ["partitionkey": "p"])
        #expect(try Envelope(decoding: text("sampledrate", "5")).extensions == ["sampledrate": 5])
    }

    @Test(
        "keeps an extension that it knows in another form than its own as a foreign one",
        arguments: [
            ("sequence", #""-1""#), ("sequence", "5"), ("sequence", #""99999999999999999999""#),
            ("sequence", #""a/7""#), ("correlationid", "17"), ("causationid", #""""#),
            ("correlationid", "\"" + String(repeating: "x", count: 256) + "\""),
        ]
    )
    func foreignForms(name: String, json: String) throws {
        let read = try Envelope(decoding: text(name, json))
        #expect(read.sequence == nil && read.correlationID == nil && read.causationID == nil)
        #expect(read.extensions == [name: try JSONValue(parsing: Array(json.utf8))])
        #expect(try Envelope(decoding: read.encoded()) == read)
        var said = read
        (said.sequence, said.correlationID, said.causationID) = (1, "flow", "cause")
        #expect(try Envelope(decoding: said.encoded()).extensions.isEmpty, "what is said twice is no JSON object")
    }

    @Test("needs no subject, no time and no data", arguments: ["subject", "time", "data"])
    func optional(name: String) throws {
        for json in [nil, "null"] {
            let read = try Envelope(decoding: text(name, json))
            #expect(read.subject == (name == "subject" ? nil : "s"))
            #expect(read.time == (name == "time" ? nil : "2026-01-01T00:00:00Z"))
            #expect(read.data == Array((name == "data" ? json ?? "" : "{}").utf8), "null is a value of data")
            #expect(try Envelope(decoding: read.encoded()) == read)
        }
    }

    /// An event with that content type and member.
    private func data(_ type: String?, _ member: String) throws -> Envelope {
        let kind = type.map { #""datacontenttype":"\#($0)","# } ?? ""
        let json = #"{"specversion":"1.0","id":"1","source":"/s","type":"t",\#(kind)\#(member)}"#
        let read = try Envelope(decoding: Array(json.utf8))
        #expect(try Envelope(decoding: read.encoded()) == read)
        return read
    }

    @Test("has data of any content type, as text or as bytes")
    func contentTypes() throws {
        #expect(try data("application/xml", #""data":"<a b=\"c\"/>""#).data == Array(#"<a b="c"/>"#.utf8))
        #expect(try data("image/png", #""data_base64":"iVBORw0KGgo=""#).data.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
        #expect(try !data("image/png", #""data_base64":"iVBORw0KGgo=""#).hasJSONData)
        #expect(try data("text/plain", #""data":null"#).data.isEmpty)
        for type in ["application/json", "application/vnd.x+json; charset=utf-8", "text/json", nil] {
            #expect(try data(type, #""data":{"a":1}"#).data == Array(#"{"a":1}"#.utf8))
            #expect(try data(type, #""data_base64":"eyJhIjoxfQ==""#).data == Array(#"{"a":1}"#.utf8))
            #expect(try data(type, #""data":"a string""#).data == Array(#""a string""#.utf8))
            #expect(try data(type, #""data":1"#).hasJSONData)
        }
    }

    @Test(
        "whose data is not what its content type says is refused",
        arguments: [
            ("text/plain", #""data":{"a":1}"#), ("application/json", #""data_base64":"eyJhIjox""#),
            ("application/json", #""data_base64":"e30=","data":{}"#), ("image/png", #""data_base64":"?""#),
            ("image/png", #""data_base64":7"#),
        ]
    )
    func wrongData(type: String, member: String) throws {
        let fault = #expect(throws: EventFault.self) { try data(type, member) }
        #expect(fault?.detail.contains("data") == true)
    }

    @Test(
        "passes on a trace context only where it is valid",
        arguments: [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false), ("x", false),
        ]
    )
    func traceContext(text: String, isValid: Bool) throws {
        let read = try Envelope(decoding: self.text("traceparent", #""\#(text)""#))
        #expect(read.traceparent == (isValid ? text : nil))
        #expect(read.extensions.isEmpty)
        #expect(String(decoding: read.encoded(), as: UTF8.self).contains("traceparent") == isValid)
    }

    @Test("reads a trace context of a version to come as far as its own goes")
    func laterTraceContext() throws {
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more"
        let read = try Envelope(decoding: text("traceparent", #""\#(later)""#))
        #expect(read.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    @Test("that is no JSON in UTF-8 is refused with what it is instead")
    func encodings() throws {
        let json = Self.valid.encoded()
        let cases: [([UInt8], EventFault.Code, String)] = [
            ([0xEF, 0xBB, 0xBF] + json, .unsupportedEncoding, "byte-order mark"),
            ([0xFF, 0xFE] + json.flatMap { [$0, 0] }, .unsupportedEncoding, "UTF-16"),
            (json.flatMap { [0, $0] }, .unsupportedEncoding, "UTF-16"),
            ([0x1F, 0x8B, 8, 0], .unsupportedEncoding, "gzip"),
            (Array("[".utf8) + json + Array("]".utf8), .batch, "a message of its own"),
        ]
        for (bytes, code, words) in cases {
            let fault = #expect(throws: EventFault.self) { try Envelope(decoding: bytes) }
            #expect(fault?.code == code)
            #expect(fault?.detail.contains(words) == true)
        }
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
