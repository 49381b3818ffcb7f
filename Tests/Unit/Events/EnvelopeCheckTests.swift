import Events
import Testing

@Suite("What no subscriber could read")
struct EnvelopeCheckTests {
    private func envelope(
        type: EventType = "t",
        source: String = "/s",
        subject: String = "a",
        data: String = "{}"
    ) -> Envelope {
        Envelope(
            id: "1",
            source: source,
            type: type,
            subject: subject,
            time: "2026-01-01T00:00:00.000Z",
            data: Array(data.utf8)
        )
    }

    @Test(
        "is refused where it is written, and so is what an AMQP property cannot hold",
        arguments: [
            "", "x", String(repeating: "x", count: 255), String(repeating: "x", count: 256), "\u{1F}", "1234567\u{7F}",
            "12345678\u{0}", "123456789ä", "ä\u{80}", "ä\u{9F}", "ä\u{A0}", "~ ~ ~ ~ ~ ~", "Ä Ö Ü ß 漢字", "\t",
            String(repeating: "ä", count: 127), String(repeating: "ä", count: 128), "\u{7E}\u{7E}\u{7E}\u{7E}12345678",
        ]
    )
    func attributes(_ text: String) {
        for envelope in [
            envelope(type: EventType(rawValue: text)), envelope(source: text), envelope(subject: text),
        ] {
            let isReadable = text.utf8.count < 256 && (try? Envelope(decoding: envelope.encoded())) != nil
            let isWritable = (try? envelope.encoded(within: .standard)) != nil
            #expect(isReadable == isWritable)
        }
    }

    @Test("data is refused for NUL and for nesting, and not for what only looks like it")
    func data() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        let brackets = "\"\(String(repeating: "[", count: 100))\""
        let cases: [(data: String, code: EventFault.Code?)] = [
            (nested(31), nil), (nested(32), .tooDeep), (brackets, nil), ("[\(nested(30)),\(nested(30))]", nil),
            ("[\"\\\"[\",\(nested(31))]", .tooDeep), ("\"\\u0000\"", .nul), ("\"\\\\u0000\"", nil),
            ("\"\\\\\\u0000\"", .nul), ("\"\\u0001\"", nil), ("\"u0000\"", nil), ("null", nil),
            ("[" + Array(repeating: "{}", count: 40).joined(separator: ",") + "]", nil),
        ]
        for (data, code) in cases {
            let envelope = envelope(data: data)
            var fault: EventFault?
            do throws(EventFault) { _ = try envelope.encoded(within: .standard) } catch { fault = error }
            #expect(fault?.code == code, "\(data)")
            // Reading has the same mind.
            do throws(EventFault) {
                _ = try Envelope(decoding: envelope.encoded())
                #expect(code == nil, "\(data)")
            } catch {
                #expect(error.code == code, "\(data)")
            }
        }
    }

    @Test("is refused where it has more bytes than every subscriber's limit")
    func size() {
        let envelope = envelope(data: "\"\(String(repeating: "x", count: 1_000))\"")
        #expect(throws: EventFault.self) { try envelope.encoded(within: EventLimits(size: 1_000)) }
        #expect(throws: Never.self) { try envelope.encoded(within: EventLimits(size: envelope.encoded().count)) }
    }
}
